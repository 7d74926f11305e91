"""What is told while a run trains: epochs and pace, and what a step prepares."""

import io
import json
from types import SimpleNamespace

import pytest
import torch

from bascule.cli import progress as told_of
from bascule.cli.progress import Bar, JobBars, Log, bars, counter, duration, scores
from bascule.experiments.schedule import Job, _listen
from bascule.training.loop import Record
from bascule.training.pace import Lines, Pace


class Told(Pace):
    def __init__(self):
        recipe = SimpleNamespace(batch=10, scalars=("loss_D", "D_x"))
        super().__init__(recipe, steps_per_epoch=4, every_s=1.0)
        self.told = []
        self.scored = []

    def tell(self, epoch, images_per_s, scalars):
        self.told.append((epoch, images_per_s))
        self.scored.append(dict(scalars))


def stepped(pace, step, seconds, **partial):
    pace.on_step_end(SimpleNamespace(step=step, partial=partial), seconds)


def test_the_pace_is_that_of_the_steps_between_two_ticks():
    pace = Told()
    for step, seconds in ((1, 0.5), (2, 1.0), (3, 2.5), (4, 3.0), (6, 4.5)):
        stepped(pace, step, seconds)
    assert pace.told == [(0.75, 10.0), (1.5, 15.0)]  # 2 steps of 10 in 2 s, then 3


def test_scalars_are_those_of_the_last_epoch_and_before_it_of_the_last_steps():
    pace = Told()
    stepped(pace, 1, 0.5)
    stepped(pace, 2, 2.0, D_x=[torch.tensor(0.5), torch.tensor(0.7)], r_t=[torch.tensor(3.0)])
    pace.on_epoch_end(Record(1, {"epoch": 0, "D_x": 0.9, "loss_D": 1.5, "D_x_std": 0.1}, None))
    stepped(pace, 5, 4.0, D_x=[torch.tensor(0.1)])
    assert pace.scored == [{"D_x": pytest.approx(0.6)}, {"loss_D": 1.5, "D_x": 0.9}]


def test_what_a_step_prepares_is_not_counted_into_the_pace():
    pace = Told()
    stepped(pace, 1, 0.5)
    pace.on_progress("settling", 8, 60)
    stepped(pace, 2, 60.0)  # the step that waited for it
    stepped(pace, 4, 62.0)
    assert pace.told == [(1.0, 10.0)]


def test_scores_of_d_come_before_losses():
    assert (
        scores({"loss_D": 1.0, "loss_G": 2.0, "D_x": 0.712, "D_Gz": 0.2}) == "D_x 0.71, D_Gz 0.20"
    )
    assert scores({"reconstruction": 0.05, "loss_D": 1.0, "x": 2.0}) == (
        "reconstruction 0.05, loss_D 1.00"
    )
    assert scores({}) == ""


@pytest.mark.parametrize(
    ("seconds", "said"), [(59, "59 s"), (75, "1 min"), (3599, "1 h 00 min"), (7500, "2 h 05 min")]
)
def test_durations_are_read_at_a_glance(seconds, said):
    assert duration(seconds) == said


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test lets pass, for rich and for us."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(told_of.time, "monotonic", lambda: now.seconds)
    monkeypatch.setattr("rich.console.monotonic", lambda: now.seconds)
    return now


def test_without_a_terminal_one_line_a_minute_says_what_goes_on(capsys, clock):
    with bars() as progress:
        task = progress.add_task("run", total=3, speed="")
        bar = Bar(SimpleNamespace(batch=10, epochs=3, scalars=()), 4, progress, task)
        bar.on_progress("settling the training images", 8, 60)  # too early
        clock.seconds += 10
        bar.on_progress("settling the training images", 16, 60)
        clock.seconds += 50
        bar.tell(1.0, 99.0, {})  # within a minute of the last line
        clock.seconds += 60
        bar.tell(1.5, 120.4, {"D_x": 0.7, "D_Gz": 0.3})  # half an epoch took a minute
    assert capsys.readouterr().err.splitlines() == [
        "settling the training images: 16 of 60",
        "epoch 1.5 of 3, 120 images/s, D_x 0.70, D_Gz 0.30, about 3 min left",
    ]


def test_the_time_left_goes_by_all_that_was_done_and_not_by_what_was_there(clock):
    with bars() as progress:
        task = progress.add_task("run", total=100, completed=40)
        bar = Bar(SimpleNamespace(batch=10, epochs=100, scalars=()), 4, progress, task)
        clock.seconds += 300  # of preparations
        bar.tell(40.0, 1.0, {})
        assert told_of.left(bar.task) is None
        clock.seconds += 100
        bar.tell(50.0, 1.0, {})
        assert told_of.left(bar.task) == pytest.approx(500)  # 10 epochs took 100 s
        clock.seconds += 1
        bar.tell(50.5, 1.0, {})  # five times as fast for a moment
        assert told_of.left(bar.task) == pytest.approx(101 * 49.5 / 10.5)


def test_a_counter_logs_the_time_left_once_a_minute(capsys, clock):
    with counter("drawing") as tell:
        for done in range(1, 91):
            clock.seconds += 2
            tell(done, 180)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "drawing: 3 of 180, about 6 min left",
        "drawing: 33 of 180, about 5 min left",
        "drawing: 63 of 180, about 4 min left",
    ]


def test_a_worker_tells_its_scalars_and_older_lines_are_understood(capsys):
    Lines(SimpleNamespace(batch=10, scalars=()), 4).tell(1.5, 20.0, {"D_x": 0.7})
    line = capsys.readouterr().out
    job = Job("arm", SimpleNamespace(seed=0))
    _listen(job, SimpleNamespace(stdout=["warning\n", "[1]\n", "3\n", line]))
    assert (job.epoch, job.images_per_s, job.scalars) == (1.5, 20.0, {"D_x": 0.7})
    _listen(job, SimpleNamespace(stdout=[json.dumps({"epoch": 2.0, "images_per_s": 1.0})]))
    assert (job.epoch, job.scalars) == (2.0, {})


def test_the_bar_over_all_runs_goes_by_images(capsys, clock):
    def job(data, epochs):
        recipe = SimpleNamespace(data=data, epochs=epochs, seed=0)
        return Job("arm", recipe, to_measure=[])

    many, few = job("many", 2), job("few", 20)
    with bars() as progress:
        watch = JobBars(progress, [many, few], {"many": 2000, "few": 200})
        watch([many, few])
        many.state = few.state = "running"
        watch([many, few])
        clock.seconds += 500  # until the first steps
        many.epoch = 1.0
        watch([many, few])
        clock.seconds += 60
        many.epoch, many.state = 2.0, "finished"
        watch([many, few])
        assert progress.tasks[0].percentage == pytest.approx(50.0)  # 4,000 of 8,000
        clock.seconds += 60
        few.epoch, few.scalars = 10.0, {"D_x": 0.7, "D_Gz": 0.3}
        watch([many, few])
        assert progress.tasks[0].percentage == pytest.approx(75.0)
    assert capsys.readouterr().err.splitlines() == [
        "0 of 2 runs finished, 1 of 22 epochs, 0 images/s",
        "1 of 2 runs finished, 2 of 22 epochs, 0 images/s, about 2 min left",  # 2,000 a minute
        "1 of 2 runs finished, 12 of 22 epochs, 0 images/s, about 1 min left, "
        "arm s0: epoch 10.0, D_x 0.70, D_Gz 0.30",
    ]


@pytest.mark.parametrize("width", [80, 160])
def test_a_bar_fits_its_terminal(monkeypatch, width, clock):
    """What rich would draw for a run with a long name: one line, with the facts in it."""
    from rich.console import Console

    shown = io.StringIO()
    terminal = Console(file=shown, width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(told_of, "Console", lambda stderr: terminal)
    with bars() as progress:
        task = progress.add_task("dcgan64-tuned faces-micah s0", total=1000, speed="")
        bar = Bar(SimpleNamespace(batch=10, epochs=1000, scalars=()), 4, progress, task)
        bar.tell(0.0, 1234.0, {})
        clock.seconds += 3000
        bar.tell(100.0, 1234.0, {"D_x": 0.71, "D_Gz": 0.24})
        shown.seek(0)
        shown.truncate()
        terminal.print(progress.get_renderable())
    lines = [line for line in shown.getvalue().splitlines() if "images/s" in line]
    (line,) = {line.split("\r")[-1].removeprefix("\x1b[2K").rstrip() for line in lines}
    assert "1234 images/s D_x 0.71, D_Gz 0.24" in line and "7 h 30 min" in line
    assert len(line) <= width


def test_the_first_line_comes_after_some_seconds(capsys, clock):
    log = Log()
    log("too early")
    clock.seconds += 6
    log("now", "", "and this")
    log("too early")
    assert capsys.readouterr().err == "now, and this\n"
