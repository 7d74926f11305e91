"""Labels are taken apart and put together in one place, whatever file they come from."""

import json
import re
import tarfile
from pathlib import Path

import pytest

from bascule.core.errors import UserError
from bascule.experiments.predictions import COVERAGE, HELD_OUT_COVERAGE, HELD_OUT_KID, KID, mean_tv
from bascule.metrics.measured import METRICS
from bascule.metrics.measurement import Measurement, measurement, parse
from bascule.metrics.mmd import KID as MMD
from bascule.metrics.numbers import NUMBERS

PACKS = sorted((Path(__file__).parents[2] / "notes").rglob("*.tar.xz"))


@pytest.mark.parametrize("pack", PACKS, ids=lambda path: path.name)
def test_every_label_of_the_committed_runs_is_read_and_told_again(pack):
    with tarfile.open(pack) as files:
        kept = [files.extractfile(m).read() for m in files if m.name.endswith("metrics.json")]
    values = [v for each in kept for e in json.loads(each)["evaluations"] for v in e["values"]]
    better = {v["scale"]["label"]: v["better"] for v in values}
    for label, direction in better.items():
        found = parse(label)
        assert str(found) == label
        assert found.known and found.evaluated
        assert found.quantity.better == direction
        assert found.name == label.partition("[")[0]


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("D_x", {}),
        ("KID[x,1px]", {"space": "x,1px"}),
        ("KID of layer 1 at k_fb=4[x]", {"space": "x", "layer": 1, "k_fb": 4.0}),
        ("KID on held-out[x]", {"space": "x", "split": "held-out"}),
        ("coverage of held-out[x]", {"space": "x", "split": "held-out"}),
        ("coverage of random target[x]", {"space": "x", "of": "random target"}),
        ("TV of hairVariant[micah,64px]", {"space": "micah,64px", "attribute": "hairVariant"}),
        ("kept hair_colour of copy[t]", {"space": "t", "attribute": "hair_colour", "of": "copy"}),
        ("information on eyes[t]", {"space": "t", "attribute": "eyes"}),
        ("cycle L1 after 8 bits[t]", {"space": "t", "after": "8 bits"}),
        ("SSIM of layer 2[k_fb=0.5,sigma=1]", {"layer": 2, "k_fb": 0.5, "sigma": 1.0}),
        ("cost[own k_fb]", {"space": "own k_fb"}),
        ("AUROC of other style[codes]", {"space": "codes", "of": "other style"}),
    ],
)
def test_the_parts_of_a_label(label, told):
    found = parse(label)
    assert found == Measurement(found.quantity, **told) and found.known
    assert str(found) == label


@pytest.mark.parametrize(
    "label",
    [
        *("", "[", "]", "KIT[x]", "KID of nothing[x]", "KID of layer 0[x]", "KID["),
        *("cycle L1 after tea[x]", "SSIM of held-out[x]", "ResetD.0/resets", "FD of layer 1[x]"),
    ],
)
def test_what_no_one_knows_is_a_number_of_that_name(label):
    found = parse(label)
    assert not found.known and str(found) == label
    assert found.quantity.better is None and found.quantity.explained == ""


def test_at_tells_the_same_number_elsewhere():
    assert str(KID.at(layer=1, k_fb=4)) == "KID of layer 1 at k_fb=4[efficientnet-lite0,128px]"
    assert str(KID.at(of="copy", extractor="pixels,16px")) == "KID of copy[pixels,16px]"
    assert str(HELD_OUT_KID) == "KID on held-out[efficientnet-lite0,128px]"
    assert str(HELD_OUT_COVERAGE) == "coverage of held-out[efficientnet-lite0,128px]"
    assert str(mean_tv(32)) == "mean TV[micah,32px]"
    assert str(Measurement(NUMBERS["SSIM"]).at(layer=1, k_fb=0, sigma=1)) == (
        "SSIM of layer 1[k_fb=0,sigma=1]"
    )
    assert parse(str(COVERAGE)) == COVERAGE and not HELD_OUT_KID.plain and KID.plain


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"sigma": 1}, "KID.at(sigma=...): expected one of extractor, of, layer, k_fb, split"),
        ({"of": "tea"}, "KID.at(of='tea'): expected one of copy, random target"),
        ({"layer": 0}, "KID.at(layer=0): nothing is called"),
    ],
)
def test_at_refuses_what_the_number_does_not_take(parameters, said):
    with pytest.raises(UserError, match=re.escape(said)):
        KID.at(**parameters)


def test_a_metric_names_its_number():
    assert measurement(MMD).quantity == KID.quantity == METRICS["KID"].quantity()
    with pytest.raises(UserError, match="3 is no measurement"):
        measurement(3)  # type: ignore[arg-type]
