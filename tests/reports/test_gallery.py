"""What is seen first: what G draws in the control, what D is shown where a rule changes that."""

import numpy as np
from fakes import fake_results
from PIL import Image

from bascule.reports.gallery import hero, judged, judged_fakes
from bascule.training.grid import GAP

REAL, FAKE = (200, 40, 40), (40, 40, 200)
SIDE = 32


def keep_shown(run, epoch: int, last: tuple[int, int, int] = FAKE) -> None:
    """Four rows of four reals and fakes in plain colours, the last fake in one of its own."""
    wide = 4 * SIDE + 3 * GAP
    sheet = np.full((wide, 2 * wide + 8 * GAP, 3), 255, np.uint8)
    sheet[:, :wide], sheet[:, -wide:] = REAL, FAKE
    sheet[-SIDE:, -SIDE:] = last
    Image.fromarray(sheet).save(run.shown(epoch))


def test_fakes_that_D_judged_are_told_eight_in_a_row(tmp_path):
    run = fake_results(tmp_path).runs["perfect G"][0]
    assert judged_fakes(run) is None
    keep_shown(run, 20, last=(0, 255, 0))
    one, two = judged_fakes(run), judged_fakes(run, 2)
    assert one.shape == (SIDE, 8 * SIDE + 7 * GAP, 3)
    assert two.shape == (2 * SIDE + GAP, 8 * SIDE + 7 * GAP, 3)
    assert (one[:, :SIDE] == FAKE).all() and not (one == REAL).all(-1).any()
    assert (two[-SIDE:, -SIDE:] == (0, 255, 0)).all() and (one[:, -SIDE:] == FAKE).all()


def test_the_first_view_shows_them_for_arms_with_changed_rules(tmp_path):
    results = fake_results(tmp_path)
    assert hero(results).rows[0][0] == "plain"
    for by_seed in results.runs.values():
        keep_shown(by_seed[0], 20)
    shown = hero(results, ["plain", "perfect G"])
    names = [name for name, _ in shown.rows]
    assert names[:2] == ["plain: G draws", "perfect G: fakes shown to D"]
    assert "the fakes that D is shown" in shown.caption
    assert (dict(shown.rows)["perfect G: fakes shown to D"][:SIDE, :SIDE] == FAKE).all()


def test_reals_and_fakes_stand_beside_each_other(tmp_path):
    runs = {arm: by_seed[0] for arm, by_seed in fake_results(tmp_path).runs.items()}
    assert judged(runs, 0) is None
    keep_shown(runs["plain"], 20)
    (row,) = judged(runs, 0).rows
    assert row[0] == "plain" and (row[1][0, 0] == REAL).all() and (row[1][0, -1] == FAKE).all()
