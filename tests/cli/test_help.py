"""What ``--help`` shows: verbs under headings, and examples that work."""

import shlex

import pytest

from bascule import presets
from bascule.cli import GROUPS, parser
from bascule.cli.evaluate import EXTRACTORS
from bascule.cli.verbs import all_verbs, verbs_of
from bascule.experiments.files import find_files
from bascule.features import extractors
from bascule.runs import codec

VERBS = all_verbs(parser())
EXAMPLES = [
    example for verb in (parser(), *VERBS) for example in verb.examples if "VERB" not in example
]


def test_every_verb_stands_under_one_heading():
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(verbs_of(parser()).choices)


@pytest.mark.parametrize("verb", [[], ["train"], ["draw", "walk"], ["evaluate"]], ids=" ".join)
def test_help_fits_80_columns_and_ends_with_examples(bascule, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = bascule(*verb, "--help")
    assert code == 0 and max(map(len, out.splitlines())) <= 80
    assert "\nexamples:\n  bascule " in out


def test_the_overview_has_one_line_for_each_verb(bascule, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = bascule("--help")[1].splitlines()
    for heading, names in GROUPS.items():
        start = lines.index(f"{heading}:") + 1
        assert [line.split()[0] for line in lines[start : start + len(names)]] == list(names)


def test_every_verb_has_one_to_three_examples_of_at_most_80_columns():
    for verb in VERBS:
        assert 1 <= len(verb.examples) <= 3, verb.prog
        for example in verb.examples:
            assert example.startswith(verb.prog) and len(example) <= 78, example


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_parse_and_name_what_there_is(example, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    words = shlex.split(example.partition(" > ")[0].partition(" >> ")[0])
    args = parser().parse_args(words[1:])
    if args.verb == "train" and not args.preset.endswith(".py"):
        codec.changed(presets.trained()[args.preset], dict(s.split("=") for s in args.set))
    elif args.verb in ("run", "report", "pack") and not args.experiment.endswith(".py"):
        assert find_files(args.experiment)
    elif args.verb == "tune":
        assert find_files(args.tuning)
    elif args.verb == "ladder":
        assert set(args.preset) <= set(presets.PRESETS) and all(map(codec.parse, args.data))
    for change in getattr(args, "change", ()):
        assert codec.parse(change).first_epoch() == args.at_epoch


def test_extractors_are_named_as_they_are():
    assert tuple(extractors.EXTRACTORS) == EXTRACTORS and EXTRACTORS[0] == extractors.DEFAULT
