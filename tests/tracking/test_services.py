"""Trackers of the package: TensorBoard and, where it is installed, MLflow are read back; the others
are compared with the calls that their documentation shows, on modules of the same names."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.tracking.mlflow import MLflow, allowed
from bascule.tracking.services import SERVICES, service
from bascule.tracking.tensorboard import TensorBoard
from bascule.tracking.tracker import RunFacts
from bascule.tracking.trackio import Trackio
from bascule.tracking.wandb import WandB

RECIPE = {"is": "GANRecipe", "model.width": 4, "lr_D": 2e-4, "device": None}


@pytest.fixture
def facts(tmp_path):
    """``facts(epochs_done)``: a run in a folder of its own."""
    (tmp_path / "run").mkdir()
    return lambda done=0: RunFacts("20260101-run-0", "run", tmp_path / "run", RECIPE, done)


@pytest.fixture
def picture(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Image.fromarray(pixels).save(tmp_path / "epoch-0002.png")
    return tmp_path / "epoch-0002.png"


def test_every_name_has_a_class_and_a_missing_package_is_told(monkeypatch):
    monkeypatch.setattr("bascule.tracking.services.find_spec", lambda name: None)
    for name in SERVICES:
        with pytest.raises(UserError, match=rf"--track {name}: .* is not installed: pip install"):
            service(name)


# TensorBoard


def events_in(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    return accumulator.EventAccumulator(str(folder), {"images": 0, "scalars": 0}).Reload()


def test_tensorboard_has_every_scalar_picture_and_the_recipe(facts, picture):
    pytest.importorskip("tensorboard")
    tracker = TensorBoard()
    tracker.start(facts())
    tracker.log(1, {"loss_D": 0.5, "norm of D": 2.0})
    tracker.log(2, {"loss_D": 1.0, "norm of D": 3.0})
    tracker.pictures(2, {"samples": picture})
    tracker.end("finished")
    events = events_in(facts().folder / "tb")
    assert [(e.step, e.value) for e in events.Scalars("loss_D")] == [(1, 0.5), (2, 1.0)]
    (shown,) = events.Images("samples")
    assert (shown.step, shown.width, shown.height) == (2, 4, 4)
    (told,) = events.Tensors("recipe/text_summary")
    assert b'"model.width": 4' in told.tensor_proto.string_val[0]


def test_tensorboard_of_a_resumed_run_hides_what_is_logged_again(facts, tmp_path):
    pytest.importorskip("tensorboard")
    place = str(tmp_path / "all")
    for done, value in ((0, 1.0), (2, 2.0)):  # killed after epoch 3, its checkpoint is of epoch 2
        tracker = TensorBoard(place)
        tracker.start(facts(done))
        for epoch in range(done + 1, 4):
            tracker.log(epoch, {"loss_D": value})
        tracker.end("failed")
    events = events_in(tmp_path / "all" / facts().id)
    told = [(e.step, e.value) for e in events.Scalars("loss_D")]
    assert told == [(1, 1.0), (2, 1.0), (3, 2.0)]


# MLflow


def test_mlflow_keeps_one_run_through_a_stop(facts, picture, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    place = str(tmp_path / "mlflow.db")
    for done, state in ((0, "interrupted"), (1, "finished")):
        tracker = MLflow(place)
        tracker.start(facts(done))
        many = {f"n{k}": float(k) for k in range(120)}  # more than a request may have
        tracker.log(done + 1, {"loss_D": 0.5 + done, "KID[a,1px]": 1.0, **many})
        tracker.end(state)
    tracker.pictures(2, {"samples": picture})
    client = mlflow.tracking.MlflowClient(f"sqlite:///{place}")
    (run,) = client.search_runs([client.get_experiment_by_name("bascule").experiment_id])
    assert run.info.status == "FINISHED" and run.info.run_name == "run"
    assert run.data.params == {name: str(value) for name, value in RECIPE.items()}
    assert run.data.metrics["KID_a_1px_"] == 1 and run.data.metrics["n119"] == 119
    history = client.get_metric_history(run.info.run_id, "loss_D")
    assert [(m.step, m.value) for m in history] == [(1, 0.5), (2, 1.5)]
    (kept,) = client.list_artifacts(run.info.run_id, "samples")
    assert kept.path == "samples/epoch-0002.png"
    assert len(list((tmp_path / "mlflow-artifacts").rglob("epoch-0002.png"))) == 1


def test_mlflow_places():
    assert MLflow("http://host:5000").place == "http://host:5000"
    assert MLflow("/a/b.db").place.startswith("sqlite:///") and MLflow().place == ""
    assert allowed("KID of layer 1[é]") == "KID of layer 1___"


# trackio and W&B, whose own programs need accounts, servers or many packages


class Calls(SimpleNamespace):
    """A module that notes its calls."""

    def __init__(self, *names):
        super().__init__(told=[])
        for name in names:
            setattr(self, name, self._noting(name))

    def _noting(self, name):
        def call(*given, **named):
            self.told.append((name, *given, named))
            return self

        return call


def test_trackio_is_called_as_its_documentation_shows(facts, picture, monkeypatch):
    module = Calls("init", "log", "finish")
    module.Image = str
    monkeypatch.setitem(sys.modules, "trackio", module)
    tracker = Trackio("mine")
    tracker.start(facts())
    tracker.log(1, {"loss_D": 0.5})
    tracker.pictures(1, {"samples": picture})
    tracker.end("finished")
    begun = {"project": "mine", "name": facts().id, "config": RECIPE, "resume": "allow"}
    assert module.told == [
        ("init", begun),
        ("log", {"loss_D": 0.5}, {"step": 1}),
        ("log", {"samples": str(picture)}, {"step": 1}),
        ("finish", {}),
    ]


def test_wandb_is_called_as_its_documentation_shows(facts, picture, monkeypatch):
    module = Calls("init", "define_metric", "log", "finish")
    module.Image = str
    monkeypatch.setitem(sys.modules, "wandb", module)
    tracker = WandB()
    tracker.start(facts())
    tracker.log(1, {"loss_D": 0.5})
    tracker.pictures(1, {"samples": picture})
    tracker.end("interrupted")
    begun = {"project": "bascule", "id": facts().id, "name": "run", "config": RECIPE}
    assert module.told == [
        ("init", begun | {"resume": "allow", "dir": str(facts().folder)}),
        ("define_metric", "*", {"step_metric": "epoch"}),
        ("log", {"epoch": 1, "loss_D": 0.5}, {}),
        ("log", {"epoch": 1, "samples": str(picture)}, {}),
        ("finish", {"exit_code": 1}),
    ]
