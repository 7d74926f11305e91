"""Scores of made-up readings with known answers, and of real faces that were made to collapse."""

import numpy as np
import pytest

from bascule.attributes.classifier import Budget, classifier
from bascule.attributes.reading import Reading
from bascule.attributes.scores import attribute_scores, joint_attributes
from bascule.core.errors import UserError
from bascule.data.artist import Artist

HAIR = ("afro", "bald", "full", "turban")
MOUTH = ("sad", "smile")


def reading(n: int, seed: int, hair: tuple[str, ...] = HAIR, doubtful: float = 0.0) -> Reading:
    rng = np.random.default_rng(seed)
    labels = {
        "hairVariant": rng.choice(hair, n),
        "mouthVariant": rng.choice(MOUTH, n),
        "shirtColor": rng.choice(["#000000", "#ffffff"], n),
    }
    return Reading(labels, rng.random(n) < doubtful)


def test_faces_as_good_as_reals_score_their_floor() -> None:
    found = attribute_scores(reading(500, 0), reading(2000, 1), reading(500, 2, doubtful=0.0))
    for name, measured in found.total_variation.items():
        assert measured.value < 0.1 and measured.floor < 0.1, name
        assert (measured.n, measured.m, measured.repeats) == (500, 2000, 1)
    assert found.missing_categories.value == found.missing_categories.floor == 0
    assert all(not absent.categories for absent in found.missing.values())
    assert found.joint_over == ("hairVariant", "mouthVariant")  # parts, not the shirt's colour
    assert found.joint_coverage.value == found.joint_coverage.floor == 1
    assert found.joint_in_vocabulary == found.joint_coverage
    assert found.combinations.value == found.combinations.floor == 8
    assert found.out_of_vocabulary.value == 0


def test_one_hair_type_is_seen_as_collapse() -> None:
    fake = reading(500, 0, hair=("full",), doubtful=0.3)
    found = attribute_scores(fake, reading(2000, 1), reading(500, 2, doubtful=0.05))
    assert found.total_variation["hairVariant"].value == pytest.approx(0.75, abs=0.03)
    assert found.total_variation["mouthVariant"].value < 0.1
    assert found.mean_total_variation.value == pytest.approx(
        np.mean([measured.value for measured in found.total_variation.values()])
    )
    assert set(found.missing["hairVariant"].categories) == {"afro", "bald", "turban"}
    assert found.missing["hairVariant"].by_chance < 1e-9
    assert found.missing_categories.value == 3
    assert found.joint_coverage.value == pytest.approx(0.25, abs=0.03)
    assert found.combinations.value == 2 and found.combinations.floor == 8
    assert found.out_of_vocabulary.value == pytest.approx(0.3, abs=0.05)
    assert found.out_of_vocabulary.floor == pytest.approx(0.05, abs=0.03)


def test_what_is_no_face_covers_no_combination() -> None:
    fake = reading(500, 0)
    grain = fake.labels["hairVariant"] != "full"  # only these show the other three kinds
    told = attribute_scores(Reading(fake.labels, grain), reading(2000, 1), reading(500, 2))
    assert told.joint_coverage.value == 1
    assert told.joint_in_vocabulary.value == pytest.approx(0.25, abs=0.03)
    assert told.joint_in_vocabulary.floor == 1
    none = Reading(fake.labels, np.ones(500, bool))
    scores = attribute_scores(none, reading(2000, 1), reading(500, 2, doubtful=0.5))
    assert scores.joint_in_vocabulary.value == 0 and scores.joint_in_vocabulary.floor == 1


def test_more_fakes_than_held_out_are_cut_into_sets_and_scores_are_repeatable() -> None:
    three = reading(1000, 0), reading(2000, 1), reading(200, 2)
    found = attribute_scores(*three)
    assert found.total_variation["hairVariant"].n == 200
    assert found.total_variation["hairVariant"].repeats == 5
    assert attribute_scores(*three) == found
    assert attribute_scores(*three, seed=1) != found


def test_joint_attributes_leave_five_images_to_a_combination() -> None:
    train = reading(2000, 1)  # about 4 hair types and 2 mouths, evenly spread
    assert joint_attributes(train, 45) == ("hairVariant", "mouthVariant")
    assert joint_attributes(train, 35) == ("hairVariant",)
    assert joint_attributes(train, 5) == ("hairVariant",)  # never none
    colours = Reading({"shirtColor": train.labels["shirtColor"]}, train.out_of_vocabulary)
    assert joint_attributes(colours, 50) == ("shirtColor",)


def test_an_even_attribute_goes_before_a_lopsided_one_of_more_categories() -> None:
    many = np.array(["none"] * 970 + [f"rare{k}" for k in range(30)])
    train = Reading(
        {"earringsVariant": many, "mouthVariant": np.tile(MOUTH, 500)}, np.zeros(1000, bool)
    )
    assert joint_attributes(train, 1000) == ("mouthVariant", "earringsVariant")


def test_drawn_faces_that_collapse_are_told_from_faces_that_do_not() -> None:
    reader = classifier("dylan", 24, budget=Budget(renders=256, epochs=10, fresh=200))
    artist = Artist("dylan")

    def read(first: int, **forced) -> Reading:
        drawn = [artist.draw(seed, 24, **forced)[0] for seed in range(first, first + 100)]
        return reader.read(np.stack(drawn))

    train = read(0)
    healthy = attribute_scores(read(500), train, reader.fresh)
    collapsed = attribute_scores(read(500, hairColor=["#000000"]), train, reader.fresh)
    assert healthy.missing["hairColor"].categories == ()
    assert len(collapsed.missing["hairColor"].categories) == 4
    before, after = (s.total_variation["hairColor"] for s in (healthy, collapsed))
    assert before.value < 0.3 < 0.6 < after.value
    assert after.floor == before.floor < 0.2
    assert collapsed.total_variation["skinColor"].value < 0.2


def test_few_images_and_readings_of_other_classifiers_are_refused() -> None:
    with pytest.raises(UserError, match="49 fakes: attribute scores need at least 50"):
        attribute_scores(reading(49, 0), reading(60, 1), reading(60, 2))
    with pytest.raises(UserError, match="20 held-out reals"):
        attribute_scores(reading(60, 0), reading(60, 1), reading(20, 2))
    other = Reading({"hairVariant": np.full(60, "afro")}, np.zeros(60, bool))
    with pytest.raises(UserError, match="one classifier"):
        attribute_scores(other, reading(60, 1), reading(60, 2))
