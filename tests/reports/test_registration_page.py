"""The page of a registration, its RO-Crate, and what notes say of it."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from bascule.experiments.registration import content_of_runs, register, registrations
from bascule.reports.note import write_experiment_note
from bascule.reports.registration import registered, write_crate, write_registration
from fakes import CREDIT, SWITCH, fake_results

RUN = "2026-01-02T03:04:05+00:00"  # when the fake runs began


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return fake_results(tmp_path_factory.mktemp("runs"))


def registered_on(date, results, folder, earlier=(), pilot=()):
    """A registration of these results, dated back."""
    register(folder, results.experiment.name, content_of_runs(results), ())
    path = folder / "registration.json"
    told = json.loads(path.read_text("utf-8"))
    more = {"registered": date, "earlier_runs": earlier, "pilot_runs": pilot}
    told["registrations"][-1].update(more)
    path.write_text(json.dumps(told), "utf-8")


def text_of(blocks):
    return " ".join(block.body for block in blocks if block.kind == "text")


def rows_of(blocks):
    return [tuple(row) for block in blocks if block.kind == "table" for row in block.rows]


def test_a_note_says_whether_it_was_registered_before_the_first_run(results, tmp_path):
    assert text_of(registered(results, tmp_path)).startswith("Not registered")
    registered_on("2026-01-01T00:00:00+00:00", results, tmp_path)
    sha = registrations(tmp_path)[0].sha256[:12]
    blocks = registered(results, tmp_path)
    assert text_of(blocks) == (
        f"Registered before the first run: yes, on 2026-01-01T00:00:00+00:00 (sha256 {sha}). "
        "There is no deviation from the registration."
    )
    page = write_experiment_note(results, tmp_path, CREDIT)
    told = page.with_suffix(".md").read_text("utf-8")
    protocol = told[told.index("## Protocol") : told.index("## Reproduce")]
    assert f"first run: yes, on 2026-01-01T00:00:00+00:00 (sha256 {sha})" in protocol
    crate = json.loads((tmp_path / "ro-crate-metadata.json").read_text("utf-8"))
    assert {"note.md", "note.html", "registration.json"} <= {e["@id"] for e in crate["@graph"]}
    other = replace(results, experiment=replace(results.experiment, name="other"))
    assert text_of(registered(other, tmp_path)).startswith("Not registered")


def test_a_late_registration_is_told_as_such(results, tmp_path):
    registered_on("2026-01-03T00:00:00+00:00", results, tmp_path)
    assert "first run: no, on 2026-01-03" in text_of(registered(results, tmp_path))
    assert f"the first run began on {RUN}" in text_of(registered(results, tmp_path))


def test_runs_that_were_there_make_it_late_too(results, tmp_path):
    """Runs under other settings, which the note does not show."""
    pilot = "2025-12-01T00:00:00+00:00"
    registered_on("2026-01-01T00:00:00+00:00", results, tmp_path, (pilot,))
    told = text_of(registered(results, tmp_path))
    assert "first run: no" in told and f"the first run began on {pilot}" in told


def test_pilot_runs_on_other_seeds_are_told_and_do_not_make_it_late(results, tmp_path):
    pilot = ("2025-12-01T00:00:00+00:00",) * 2
    registered_on("2026-01-01T00:00:00+00:00", results, tmp_path, pilot=pilot)
    told = text_of(registered(results, tmp_path))
    assert "first run: yes" in told and "2 runs on other seeds had begun before" in told


def test_deviations_are_listed_and_an_amendment_after_the_look_hides_none(results, tmp_path):
    registered_on("2026-01-01T00:00:00+00:00", results, tmp_path)
    edges = replace(results.experiment.predictions[0], low=0.4)
    changed = replace(
        results,
        experiment=replace(
            results.experiment, predictions=[edges, *results.experiment.predictions[1:]]
        ),
        seeds=(0, 1),
    )
    expected = {
        ("prediction", results.experiment.predictions[0].claim(), "–"),
        ("prediction", "–", edges.claim()),
        ("seed 2", "registered", "–"),
    }
    assert set(rows_of(registered(changed, tmp_path))) == expected
    registered_on("2026-01-05T00:00:00+00:00", changed, tmp_path, (RUN,))
    blocks = registered(changed, tmp_path)
    assert "yes, on 2026-01-01" in text_of(blocks)
    assert "Amended after the first run, which does not count: 2026-01-05" in text_of(blocks)
    assert set(rows_of(blocks)) == expected


def test_a_damaged_registration_does_not_stop_a_note(results, tmp_path):
    (tmp_path / "registration.json").write_text("{", "utf-8")
    told = text_of(registered(results, tmp_path))
    assert "Not known to be registered: cannot read" in told and str(tmp_path) not in told
    write_crate(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["registration.json"]
    assert (tmp_path / "registration.json").read_text("utf-8") == "{"


def test_the_page_answers_every_question_and_its_command_checks_the_hash(results, tmp_path):
    for seeds in ((0, 1), (0, 1, 2)):
        content = content_of_runs(replace(results, seeds=seeds))
        every, _ = register(tmp_path, results.experiment.name, content, ())
    write_registration(results.experiment, every, tmp_path)
    page = (tmp_path / "registration.md").read_text("utf-8")
    headings = [line[6:] for line in page.splitlines() if line.startswith("## ")]
    assert headings == [
        *("Have data been collected already?", "Hypothesis", "Dependent variables", "Conditions"),
        *("Analyses", "Outliers and exclusions", "Sample size", "Other", "Registered"),
    ]
    claims = [*results.experiment.predictions, *results.experiment.checks]
    for told in (
        *(claim.claim() for claim in claims),
        *(one.sha256 for one in every),
        f"interventions = PerfectG(at_epoch={SWITCH}",
        "the seeds 0, 1, 2",
        "No: there was no run on the seeds below",
        "Every further look",
        "| seed 2 | – | added |",
    ):
        assert told in page
    (command,) = [line for line in page.splitlines() if line.startswith("python -c ")]
    code = command.removeprefix('python -c "').removesuffix('"')
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == every[-1].sha256, done.stderr


def test_the_crate_describes_the_files_that_there_are(results, tmp_path):
    """As RO-Crate 1.1 asks of the descriptor, of the root and of its parts."""
    every, _ = register(tmp_path, results.experiment.name, content_of_runs(results), ())
    write_registration(results.experiment, every, tmp_path)
    crate = json.loads((tmp_path / "ro-crate-metadata.json").read_text("utf-8"))
    assert crate["@context"] == "https://w3id.org/ro/crate/1.1/context"
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["@type"] == "CreativeWork" and descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset" and root["datePublished"] == every[0].registered
    assert root["name"] and root["description"] and root["license"]["@id"] in entities
    parts = {part["@id"] for part in root["hasPart"]}
    assert parts == {"registration.json", "registration.md"}
    for name in parts:
        assert entities[name]["@type"] == "File"
        assert int(entities[name]["contentSize"]) == (tmp_path / name).stat().st_size
