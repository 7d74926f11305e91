"""Readers of own labels against scikit-learn, and which labels are read."""

from dataclasses import replace

import numpy as np
import pytest

from bascule.attributes import own_labels as module
from bascule.attributes.own_labels import label_reader, own_labels
from bascule.core.errors import UserError
from bascule.data.images import DOMAIN, ImageSet, digest_of
from bascule.features.pixels import Pixels

N = 200


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    return tmp_path


def image_set(**labels: list[str]) -> ImageSet:
    """Noise, with a brighter left half for every third and fewer dark rows for every fifth."""
    pixels = np.random.default_rng(0).integers(0, 150, (N, 3, 16, 16), np.uint8)
    pixels[::3, :, :, :8] += 60
    pixels[::5, :, 3] += 100
    told = {name: np.array(values) for name, values in labels.items()}
    digest = digest_of([pixels], pixels.shape)
    return ImageSet("mine", pixels, np.arange(N) % 5 == 1, told, digest, "")


def thirds() -> list[str]:
    return ["bright" if k % 3 == 0 else "plain" for k in range(N)]


def test_it_is_logistic_regression():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    values = [f"{k % 3 == 0}{k % 5 == 0}" for k in range(N)]
    images = image_set(kind=values)
    features = Pixels()(images.pixels)
    (label,) = own_labels(images)
    assert label.values == ("FalseFalse", "FalseTrue", "TrueFalse", "TrueTrue")
    reader = label_reader(label, images, Pixels(), features)
    train = images.indices("train")
    scaler = StandardScaler().fit(features[train].astype(np.float64))
    theirs = LogisticRegression(C=1 / (len(train) * module.PENALTY), max_iter=5000, tol=1e-10)
    # Its spread is that of the population, ours that of the sample.
    scale = ((len(train) - 1) / len(train)) ** 0.5
    x = scaler.transform(features.astype(np.float64)) * scale
    theirs.fit(x[train], np.array(values)[train])
    ours = reader.weights.numpy()
    ours = ours - ours.mean(1, keepdims=True)  # adding a number to all values changes nothing
    expected = theirs.coef_.T - theirs.coef_.T.mean(1, keepdims=True)
    assert np.allclose(ours[:-1], expected, atol=2e-3)
    told = np.array(label.values)[reader.read(features)]
    assert np.mean(told == theirs.predict(x)) > 0.99
    test = images.indices("held_out")
    assert reader.tested == len(test) == 40
    assert reader.accuracy == pytest.approx(np.mean(told[test] == np.array(values)[test]))


def test_a_second_reader_is_read_from_the_cache(root, monkeypatch):
    images = image_set(kind=thirds())
    features = Pixels()(images.pixels)
    (label,) = own_labels(images)
    first = label_reader(label, images, Pixels(), features)
    monkeypatch.setattr(module, "_learnt", lambda *_: pytest.fail("learnt again"))
    second = label_reader(label, images, Pixels(), features)
    assert np.array_equal(first.weights, second.weights) and second.accuracy == first.accuracy
    monkeypatch.undo()
    monkeypatch.setenv("BASCULE_DATA", str(root))
    other = replace(images, held_out=np.arange(N) % 5 == 2)
    (label,) = own_labels(other)
    assert not np.array_equal(label_reader(label, other, Pixels(), features).weights, first.weights)
    (first_file, _) = sorted((root / "attributes").iterdir(), key=lambda file: file.stat().st_mtime)
    first_file.write_bytes(b"damaged")
    (label,) = own_labels(images)
    with pytest.raises(UserError, match="delete the file"):
        label_reader(label, images, Pixels(), features)


def test_numbers_rare_values_and_domains_are_not_read():
    images = image_set(
        kind=["rare" if k < 6 else "" if k < 12 else value for k, value in enumerate(thirds())],
        caption=[f"picture {k}" for k in range(N)],
        only=["same"] * N,
        **{DOMAIN: ["a", "b"] * (N // 2)},
    )
    images.labels["age"] = np.arange(N) / 3
    (label,) = own_labels(images)
    assert label.name == "kind" and label.values == ("bright", "plain")
    assert (label.codes[:12] == -1).all() and (label.codes[12:] >= 0).all()
    assert not set(label.known(images, "held_out")) & set(range(12))
