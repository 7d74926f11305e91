"""What is told while a run trains: epochs and pace, and what a step prepares."""

from types import SimpleNamespace

import pytest

from bascule.cli.progress import Bar, JobBars, Pace, bars
from bascule.experiments.schedule import Job


class Told(Pace):
    def __init__(self):
        super().__init__(SimpleNamespace(batch=10), steps_per_epoch=4, every_s=1.0)
        self.told = []

    def tell(self, epoch, images_per_s):
        self.told.append((epoch, images_per_s))


def stepped(pace, step, seconds):
    pace.step_done(SimpleNamespace(step=step), seconds)


def test_the_pace_is_that_of_the_steps_between_two_ticks():
    pace = Told()
    for step, seconds in ((1, 0.5), (2, 1.0), (3, 2.5), (4, 3.0), (6, 4.5)):
        stepped(pace, step, seconds)
    assert pace.told == [(0.75, 10.0), (1.5, 15.0)]  # 2 steps of 10 in 2 s, then 3


def test_what_a_step_prepares_is_not_counted_into_the_pace():
    pace = Told()
    stepped(pace, 1, 0.5)
    pace.working("settling", 8, 60)
    stepped(pace, 2, 60.0)  # the step that waited for it
    stepped(pace, 4, 62.0)
    assert pace.told == [(1.0, 10.0)]


def test_without_a_terminal_lines_say_what_goes_on(capsys):
    with bars() as progress:
        task = progress.add_task("run", total=3, speed="")
        bar = Bar(SimpleNamespace(batch=10, epochs=3), 4, progress, task)
        bar.working("settling the training images", 8, 60)
        bar.working("settling the training images", 16, 60)  # within 10 s of the last line
        bar.lined_at = float("-inf")
        bar.tell(1.5, 120.4)
    assert capsys.readouterr().err.splitlines() == [
        "settling the training images: 8 of 60",
        "epoch 1.5 of 3, 120 images/s",
    ]


def test_the_bar_over_all_runs_goes_by_images(capsys):
    def job(data, epochs):
        recipe = SimpleNamespace(data=data, epochs=epochs, seed=0)
        return Job("arm", recipe, to_measure=[])

    many, few = job("many", 2), job("few", 20)
    with bars() as progress:
        watch = JobBars(progress, [many, few], {"many": 2000, "few": 200})
        many.epoch, many.state = 2.0, "finished"
        watch([many, few])
        assert progress.tasks[0].percentage == pytest.approx(50.0)  # 4,000 of 8,000
        few.epoch = 10.0
        watch([many, few])
        assert progress.tasks[0].percentage == pytest.approx(75.0)
    assert "1 of 2 runs finished, 2 of 22 epochs" in capsys.readouterr().err
