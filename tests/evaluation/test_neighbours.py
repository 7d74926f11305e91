"""The neighbour picture, on images of one colour whose neighbours are known."""

import numpy as np

from bascule.evaluation.neighbours import BESIDE, BETWEEN, GAP, ROWS, neighbour_grid


def plain(levels, size=4):
    return np.repeat(np.asarray(levels, np.uint8), 3 * size * size).reshape(-1, 3, size, size)


def drawn(fakes, train, twins=((0, 1),)):
    features = (x[:, :1, 0, 0] for x in (fakes, train))
    pixels, places = np.concatenate([fakes, train]), len(fakes) + np.arange(len(train))
    return np.asarray(neighbour_grid(fakes, pixels, places, *features, np.array(twins)))


def test_each_fake_stands_beside_its_nearest_training_images():
    picture = drawn(plain([100, 11, 200]), plain([10, 12, 98, 103, 191, 205, 250, 0]))
    lefts = [0, *(k * 6 + GAP - 2 for k in range(1, BESIDE + 1))]
    rows = {int(row[0, 0]): [int(row[left, 0]) for left in lefts] for row in picture[::6]}
    assert rows == {
        100: [100, 98, 103, 12, 10],
        11: [11, 10, 12, 0, 98],
        200: [200, 205, 191, 250, 103],
    }


def test_the_middle_holds_the_likeliest_copies_and_the_right_the_twins():
    fakes = plain([3 * k + 1 for k in range(40)])
    train = plain([*(3 * k for k in range(30)), *(3 * k + 1 for k in range(30, 40))])
    picture = drawn(fakes, train, [(5, 7), (9, 2)])
    assert picture.shape[0] == ROWS * 6 - 2
    middle = 5 * 6 - 4 + GAP + BETWEEN
    copies = [int(row[middle, 0]) for row in picture[::6]]
    assert {3 * k + 1 for k in range(30, 40)} <= set(copies)
    right = 2 * middle
    twins = [[int(row[right, 0]), int(row[right + 6, 0])] for row in picture[::6][:3]]
    assert twins == [[16, 22], [28, 7], [255, 255]]
