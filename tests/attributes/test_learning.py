"""A reader learns what it is shown, twice alike, and its accuracy is counted as by hand."""

import numpy as np
import pytest
import torch

from bascule.attributes.learning import Accuracy, accuracies, encoded, learn, logits
from bascule.attributes.network import Reader, seen
from bascule.attributes.renders import Renders
from bascule.core.context import generator

CATEGORIES = {"shade": ("dark", "light"), "side": ("left", "right")}


def squares(n: int, seed: int = 0) -> Renders:
    """Grey pictures, dark or light, with a red bar in their upper or lower half.

    Not on the left or right half: mirroring is one of the slight faults.
    """
    rng = np.random.default_rng(seed)
    light, right = rng.integers(0, 2, (2, n)).astype(bool)
    pixels = np.where(light, 200, 60).astype(np.uint8)[:, None, None, None].repeat(3, 1)
    pixels = np.tile(pixels, (1, 1, 16, 16))
    for image, low in zip(pixels, right, strict=True):
        rows = slice(10, 13) if low else slice(3, 6)
        image[:, rows, 4:12] = np.array([255, 0, 0])[:, None, None]
    labels = {
        "shade": np.where(light, "light", "dark"),
        "side": np.where(right, "right", "left"),
    }
    return Renders(pixels, labels)


def test_codes_follow_the_categories_and_an_unknown_one_is_no_category() -> None:
    labels = {"b": np.array(["y", "x", "z"]), "a": np.array(["q", "q", "q"])}
    assert encoded(labels, {"a": ("q",), "b": ("x", "y")}).tolist() == [[0, 1], [0, 0], [0, -1]]


def test_learning_reads_new_pictures_and_tells_every_image() -> None:
    told: list[int] = []
    reader = learn(squares(160), CATEGORIES, 12, told.append)
    assert sum(told) == 12 * 128  # the incomplete batch of 32 is left out
    new = squares(60, seed=1)
    out = logits(reader, new.pixels)
    found = accuracies(out, out, new, CATEGORIES)
    assert found["shade"].balanced > 0.95 and found["side"].balanced > 0.95


def test_learning_is_a_function_of_its_renders_and_leaves_the_global_generator_alone(
    same,
) -> None:
    before = torch.get_rng_state()
    first, again = (learn(squares(64), CATEGORIES, 2, lambda _: None) for _ in range(2))
    assert same(first.state_dict(), again.state_dict())
    assert torch.equal(torch.get_rng_state(), before)
    other = learn(squares(64, seed=1), CATEGORIES, 2, lambda _: None)
    assert not same(first.state_dict(), other.state_dict())


def test_accuracy_balanced_accuracy_and_damage_by_hand() -> None:
    """18 "none" and 12 "round": always saying "none" is right in 60 %, balanced 50 %."""
    truth = np.array(["none"] * 18 + ["round"] * 12)
    renders = Renders(np.zeros((30, 3, 8, 8), np.uint8), {"glasses": truth})
    always_none = torch.tensor([[1.0, 0.0]] * 30)
    right = torch.nn.functional.one_hot(torch.tensor([0] * 18 + [1] * 12)).float()
    found = accuracies([right], [always_none], renders, {"glasses": ("none", "round")})
    assert found == {"glasses": Accuracy(1.0, 1.0, 0.5)}
    found = accuracies([always_none], [right], renders, {"glasses": ("none", "round")})
    assert found["glasses"].accuracy == pytest.approx(0.6)
    assert (found["glasses"].balanced, found["glasses"].damaged) == (0.5, 1.0)


def test_a_category_of_few_renders_does_not_count_and_one_category_proves_nothing() -> None:
    def balanced(rare: int) -> float:
        truth = np.array(["none"] * 20 + ["round"] * 15 + ["square"] * rare)
        renders = Renders(np.zeros((len(truth), 3, 8, 8), np.uint8), {"g": truth})
        says = torch.tensor([[1.0, 0, 0]] * 20 + [[0, 1.0, 0]] * 15 + [[1.0, 0, 0]] * rare)
        return accuracies([says], [says], renders, {"g": ("none", "round", "square")})["g"].balanced

    assert balanced(9) == 1.0  # too few squares to judge them
    assert balanced(10) == pytest.approx(2 / 3)
    lonely = Renders(np.zeros((20, 3, 8, 8), np.uint8), {"g": np.array(["none"] * 20)})
    says = [torch.ones(20, 2)]
    assert accuracies(says, says, lonely, {"g": ("none", "round")})["g"].balanced == 0.0


@pytest.mark.parametrize("size", [8, 20, 64, 100, 256])
def test_a_reader_takes_every_size(size: int) -> None:
    reader = Reader([3, 5], generator("test")).eval()
    x = seen(torch.zeros((2, 3, size, size), dtype=torch.uint8))
    assert x.shape[-1] == min(size, 64)
    assert [tuple(one.shape) for one in reader(x)] == [(2, 3), (2, 5)]


def test_a_large_image_is_seen_by_its_area_means() -> None:
    pixels = torch.zeros((1, 3, 128, 128), dtype=torch.uint8)
    pixels[..., ::2] = 255  # every second column white
    assert torch.allclose(seen(pixels), torch.zeros(1, 3, 64, 64), atol=1e-6)
