"""Numbers beyond reason, and files that are none: one line each."""

import os
from pathlib import Path

import pytest

BIG = "1" + "0" * 26
MANY = [
    ("evaluate", "x", "-n", "1000000000000"),
    ("evaluate", "x", "--seed", str(2**64)),
    ("generate", "x", "-o", "y", "-n", BIG),
    ("run", "x", "--jobs", "1000000000"),
    ("run", "x", "--seeds", "0", str(2**70)),
    ("run", "x", "--seeds", "9" * 5000),
    ("ladder", "--minutes", "1e300"),
    ("ladder", "--minutes", "nan"),
    ("ladder", "--minutes", "inf"),
    ("tune", "x", "--trials", BIG),
    ("fork", "x", "--at-epoch", BIG),
    ("draw", "walk", "x", "--frames", BIG),
    ("draw", "film", "x", "--fps", "nan"),
    ("sdpc", "denoise", "x", "y", "-o", "z", "--sigma", "1e300"),
    ("translate", "x", "y", "-o", "z", "--size", BIG),
    ("data", "show", "faces", "--n", BIG),
    ("data", "import", "x", "--name", "y", "--size", BIG),
    *(
        ("train", "dcgan64", "--set", setting)
        for setting in (
            f"epochs={BIG}",
            "threads=100000000",
            f"seed={2**64}",
            f"batch={BIG}",
            "model.width=10000000000",
            "model.z_dim=10000000000",
            "data.n=1000000000000",
            "data.size=10000000000",
            f"interventions=PerfectG({BIG})",
            "lr_D=1e300",
            "epochs=" + "9" * 5000,
            "epochs=" + "+".join("1" * 3000),
            "augment=" + "[" * 90 + "]" * 90,
        )
    ),
    ("train", "sdpc-gan", "--set", "coding.epochs=" + BIG),
]


@pytest.mark.parametrize("words", MANY, ids=lambda words: " ".join(words)[:60])
def test_numbers_beyond_reason_are_refused(bascule, words):
    code, _, err = bascule(*words)
    assert code == 2 and err.count("\n") == 1 and len(err) < 1000, err[:2000]
    assert ("expected" in err or "Input should be" in err) and not list(Path().glob("runs/*"))


def test_recipe_files_of_another_kind_are_refused(bascule):
    contents = {
        "list": "[1, 2]",
        "deep": '{"is": ' * 5000 + "1" + "}" * 5000,
        "deeper": "[" * 300_000,
        "kind": '{"is": []}',
        "nothing": "{}",
        "bytes": "\x00\xff",
        "typed": '{"is": "Recipe", "epochs": {"is": "Faces"}}',
        "large": '{"is": "' + "a" * 17_000_000 + '"}',
        "number": '{"is": "Recipe", "epochs": ' + "9" * 6000 + "}",
        "infinite": '{"is": "Recipe", "lr_D": Infinity}',
    }
    for name, text in contents.items():
        Path(f"{name}.json").write_text(text, "latin-1")
        code, _, err = bascule("train", f"{name}.json")
        assert code == 2 and err.count("\n") == 1 and len(err) < 3000, (name, err[:300])
    os.mkfifo("pipe.json")
    Path("zero.json").symlink_to("/dev/zero")
    Path("folder.json").mkdir()
    for name in ("pipe", "zero", "folder", "gone"):
        code, _, err = bascule("train", f"{name}.json")
        assert code == 2 and f"cannot read {name}.json" in err and err.count("\n") == 1, err


def test_pipes_under_any_name_are_refused_without_a_wait(bascule):
    for name in ("a.zip", "b.npz", "c", "d.py", "e.tar.xz"):
        os.mkfifo(name)
    for words in (
        ("data", "import", "a.zip", "--name", "x"),
        ("evaluate", "b.npz", "--data", "faces"),
        ("evaluate", "c", "--data", "faces"),
        ("run", "d.py"),
        ("unpack", "e.tar.xz"),
    ):
        code, _, err = bascule(*words)
        assert code == 2 and err.count("\n") == 1, (words, err)
