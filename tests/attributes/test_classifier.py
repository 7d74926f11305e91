"""The attribute classifier: learnt once, kept, exact about what it can and cannot read."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bascule.attributes import classifier as module
from bascule.attributes.classifier import AttributeClassifier, Budget, classifier, style_of
from bascule.attributes.reading import Reading
from bascule.core.errors import UserError
from bascule.data import cache
from bascule.data.artist import Artist
from bascule.data.faces import Faces
from bascule.data.images import ImageSet

SIZE = 24
BUDGET = Budget(renders=256, epochs=10, fresh=200)


@pytest.fixture(scope="module")
def dylan() -> AttributeClassifier:
    return classifier("dylan", SIZE, budget=BUDGET)


def faces(n: int, first: int = 0, **forced) -> tuple[np.ndarray, list[dict]]:
    artist = Artist("dylan")
    drawn = [artist.draw(seed, SIZE, **forced) for seed in range(first, first + n)]
    return np.stack([pixels for pixels, _ in drawn]), [labels for _, labels in drawn]


def test_what_is_used_is_read_right_in_faces_of_any_data_set(dylan: AttributeClassifier) -> None:
    assert {"backgroundColor", "skinColor", "hairColor"} <= set(dylan.used)
    pixels, truth = faces(120)
    reading = dylan.read(pixels)
    assert tuple(reading.labels) == dylan.used and len(reading) == 120
    for name, found in reading.labels.items():
        right = np.mean(found == np.array([labels[name] for labels in truth]))
        assert right >= 0.9, name
    assert reading.out_of_vocabulary.mean() < 0.15


def test_only_well_read_attributes_are_used_and_the_table_has_all(
    dylan: AttributeClassifier,
) -> None:
    varying = {"facialHairVariant", "hairVariant", "moodVariant"}
    varying |= {"backgroundColor", "hairColor", "skinColor"}
    assert set(dylan.accuracy) == set(dylan.categories) == varying  # flip is always "none"
    for name, accuracy in dylan.accuracy.items():
        well_read = accuracy.accuracy >= 0.95 and accuracy.balanced >= 0.95
        assert (name in dylan.used) == well_read
    assert "moodVariant" not in dylan.used  # 24 px are too few for it
    assert len(dylan.categories["hairVariant"]) == 12
    assert dylan.renders == 256


def test_out_of_vocabulary_rises_on_what_no_renderer_draws(dylan: AttributeClassifier) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 3, SIZE, SIZE), dtype=np.uint8)
    fresh, _ = faces(100, first=500)
    floor = dylan.read(fresh).out_of_vocabulary.mean()
    assert floor < 0.15
    assert dylan.read(noise).out_of_vocabulary.mean() > 0.8
    mixed = ((fresh.astype(int) + np.roll(fresh, 1, 0)) // 2).astype(np.uint8)
    assert dylan.read(mixed).out_of_vocabulary.mean() > 0.5
    assert dylan.detected["noise"] > 0.8
    assert "another style (micah)" in dylan.detected


def test_fresh_renders_stand_for_reals(dylan: AttributeClassifier) -> None:
    assert len(dylan.fresh) == 200 and tuple(dylan.fresh.labels) == dylan.used
    assert dylan.fresh.out_of_vocabulary.mean() < 0.1
    fresh, _ = faces(5, first=20_000_000)
    again = dylan.read(fresh)
    for name in dylan.used:
        assert again.labels[name].tolist() == dylan.fresh.labels[name][:5].tolist()


def test_a_kept_classifier_is_not_trained_again_and_reads_alike(
    dylan: AttributeClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(module, "_trained", train)
    again = classifier("dylan", SIZE, budget=BUDGET)
    pixels, _ = faces(60, first=300)
    one, other = dylan.read(pixels), again.read(pixels)
    assert {k: v.tolist() for k, v in one.labels.items()} == {
        k: v.tolist() for k, v in other.labels.items()
    }
    assert (one.out_of_vocabulary == other.out_of_vocabulary).all()
    assert again.accuracy == dylan.accuracy and again.categories == dylan.categories
    assert again.spec == dylan.spec
    assert again.detected == dylan.detected and again.used == dylan.used
    assert (again.fresh.out_of_vocabulary == dylan.fresh.out_of_vocabulary).all()
    for name, values in dylan.fresh.labels.items():
        assert again.fresh.labels[name].tolist() == values.tolist()
    with pytest.raises(AssertionError):  # another budget is another classifier
        classifier("dylan", SIZE, budget=Budget(renders=256, epochs=11, fresh=200))


def test_progress_ends_at_its_total_and_an_interrupt_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    budget = Budget(renders=100, epochs=1, fresh=50)

    def stop(done: int, total: int) -> None:
        if done > 120:  # while it learns
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classifier("dylan", 8, stop, budget)
    assert not list(tmp_path.rglob("*.pt")) and not list(tmp_path.rglob(".*partial"))
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(module, "TRUSTED", 0.0)
    classifier("dylan", 8, lambda done, total: told.append((done, total)), budget)
    assert told[-1] == (264, 264)  # 100 drawn, 64 learnt from, 50 fresh, 50 of another style
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(list((tmp_path / "attributes").iterdir())) == 1


def test_a_damaged_file_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    place = module._place("dylan", SIZE, BUDGET)
    place.parent.mkdir()
    place.write_bytes(b"no weights")
    with pytest.raises(UserError, match="delete the file"):
        classifier("dylan", SIZE, budget=BUDGET)


def test_a_cache_that_is_a_file_is_refused(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "attributes").write_text("")
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    monkeypatch.setattr(module, "_trained", lambda *_: None)
    with pytest.raises(UserError, match="BASCULE_DATA"):
        classifier("dylan", SIZE, budget=BUDGET)


def test_where_nothing_can_be_read_there_is_no_classifier(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    with pytest.raises(UserError, match="no attribute of dylan at 8 px can be read"):
        classifier("dylan", 8, budget=Budget(renders=50, epochs=1, fresh=50))
    assert not list(tmp_path.rglob("*.pt"))


@pytest.mark.parametrize(
    ("style", "size", "message"),
    [("dillan", 64, "did you mean dylan"), ("dylan", 4, "8 to 1024"), ("dylan", 2000, "8 to 1024")],
)
def test_impossible_classifiers_are_refused(style: str, size: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        classifier(style, size)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((5, 3, 32, 32), np.uint8), r"expects uint8 \(N, 3, 24, 24\)"),
        (np.zeros((5, 3, SIZE, SIZE), np.float32), "images are float32"),
        (np.zeros((5, 1, SIZE, SIZE), np.uint8), r"\(5, 1, 24, 24\)"),
        (np.zeros((3, SIZE, SIZE), np.uint8), "images are uint8"),
        (np.zeros((0, 3, SIZE, SIZE), np.uint8), "no images"),
    ],
)
def test_other_images_are_refused(
    dylan: AttributeClassifier, images: np.ndarray, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        dylan.read(images)


@pytest.mark.parametrize("budget", [{"renders": 10}, {"fresh": 10}, {"epochs": 0}])
def test_impossible_budgets_are_refused(budget: dict) -> None:
    with pytest.raises(UserError, match="at least 50 renders"):
        Budget(**budget)


def test_a_set_is_read_once_and_its_pixels_decide(dylan: AttributeClassifier, monkeypatch) -> None:
    images = Faces(n=40, size=SIZE, style="dylan").load()
    expected = dylan.read(images.pixels)
    first = dylan.read_set(images)
    monkeypatch.setattr("bascule.attributes.reading.logits", None)  # nothing is computed again
    for found in (first, dylan.read_set(images)):
        assert found.labels.keys() == expected.labels.keys()
        assert all((found.labels[k] == expected.labels[k]).all() for k in expected.labels)
        assert (found.out_of_vocabulary == expected.out_of_vocabulary).all()
    some = np.array([3, 1])
    assert (first.of(some).labels["hairColor"] == expected.labels["hairColor"][[3, 1]]).all()
    assert (first.of(some).out_of_vocabulary == expected.out_of_vocabulary[[3, 1]]).all()
    with pytest.raises(TypeError):  # other pixels are read
        dylan.read_set(Faces(n=41, size=SIZE, style="dylan").load())
    with pytest.raises(UserError, match="this classifier expects"):
        dylan.read_set(Faces(n=4, size=16, style="dylan").load())


def test_the_style_of_a_set_is_known_by_its_name_alone() -> None:
    assert style_of(Faces(n=4, size=16, style="open-peeps").load()) == "open-peeps"
    other = Faces(n=4, size=16).load()
    renamed = ImageSet("simpsons", other.pixels, other.held_out, {}, other.digest, "")
    assert (style_of(other), style_of(renamed)) == ("micah", None)


def test_the_file_lies_in_the_data_cache_and_a_reading_has_its_length(
    dylan: AttributeClassifier,
) -> None:
    assert module._place("dylan", SIZE, BUDGET).parent == cache.root() / "attributes"
    assert module._place("dylan", SIZE, BUDGET).exists()
    assert len(Reading({}, np.zeros(7, bool))) == 7


def test_the_shipped_one_is_opened_at_once_and_reads_faces_it_never_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name holds the packages that draw: another version needs another file (make weights)."""
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "nothing"))
    monkeypatch.setattr(module, "_trained", lambda *given: pytest.fail("it is trained"))
    shipped = classifier("micah", 64)
    assert not (tmp_path / "nothing").exists()
    images = Faces(n=200, first=40_000).load()
    reading = shipped.read(images.pixels)
    for name, found in reading.labels.items():
        assert np.mean(found == images.labels[name]) >= 0.95, name
    assert reading.out_of_vocabulary.mean() < 0.1


def test_weights_are_kept_in_half_precision_without_a_change(dylan: AttributeClassifier) -> None:
    plain = module._plain(dylan)
    assert plain["weights"]["layers.0.weight"].dtype == torch.float16
    assert module._opened(plain, "dylan", SIZE).spec == dylan.spec
