"""What a shell is told when it asks for completions, as it asks: by the environment."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bascule.cli import completion

TRAP = '"""Sprung?"""\nopen("sprung", "w")\nclass Eyes: ...\nnose = 1\n_hidden = 2\n'
LOADED = """
import os, sys
from bascule.cli import main
os._exit = lambda code: (print(*(m for m in {names} if m in sys.modules), "end"), sys.exit(code))
main()
"""


@pytest.fixture
def complete(tmp_path, monkeypatch):
    """``complete("train dcg")``: the completions of the last word."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BASCULE_RUNS", raising=False)

    def ask(line: str, python: tuple[str, ...] = ("-m", "bascule")) -> list[str]:
        answer, line = tmp_path / ".answer", f"bascule {line}"
        asked = {
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
        }
        done = subprocess.run(
            [sys.executable, *python], env=os.environ | asked, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        ask.printed = done.stdout
        return answer.read_text("utf-8").split("\n")

    return ask


@pytest.fixture(scope="session")
def known(data_cache):
    """What the package defines is in the cache."""
    completion.presets("")


def test_verbs_options_and_choices(complete):
    assert complete("tr") == ["train", "translate"]
    assert complete("data ") == ["import", "list", "show", "twins", "fetch", "rm", "rename"]
    assert complete("fork x --at") == ["--at-epoch"]
    assert complete("draw walk x --kind ") == ["slerp", "linear"]
    assert complete("completion ") == ["bash", "zsh", "fish", "powershell"]


def test_presets_and_what_the_package_defines(complete, known):
    assert {"dcgan64-light", "cyclegan-256", "sdpc-gan"} <= set(complete("train "))
    assert complete("train sngan64-l") == ["sngan64-light"]
    assert "sdpc-gan" not in complete("ladder ")
    assert {"sngan64", "flow64"} <= set(complete("ladder dcgan64 "))
    assert complete("sdpc fit faces --preset ") == ["sdpc", "sdpc-published"]
    assert complete("evaluate x --features rand") == ["random-conv"]
    rules = complete("fork x --at-epoch 3 --change ")
    assert {r"PerfectG\(at_epoch=", "DiffAugment"} <= set(rules)


def test_fields_of_a_preset(complete, known):
    assert complete("train dcgan64 --set model.wi") == ["model.width=", "model.width_D="]
    assert {"lr_D=", "lr_G="} <= set(complete("train dcgan64 --set epochs=3 lr_"))
    assert "lr_E=" in complete("train aae64 --set lr_")
    assert not any("." in field for field in complete("train dcgan64 --set "))
    assert complete("sdpc fit faces --set settle.k_f") == ["settle.k_fb="]
    assert complete("run perfect-g --set model.wid")[0] == "model.width="
    rules = complete("train dcgan64 --set interventions=")
    assert r"interventions=PerfectG\(at_epoch=" in rules


def test_runs_and_the_fields_of_their_recipes(complete, make_run, tiny):
    run, other = make_run(tiny, "first"), make_run(tiny, "second")
    assert complete("resume ") == sorted([run.id, other.id])
    part = run.id.partition("-")[2]  # without the date it names the run, too
    assert complete("compare fir") == [part]
    assert complete(f"compare {part} sec") == [other.id.partition("-")[2]]
    assert complete("fork first --at-epoch 2 --set model.z") == ["model.z_dim="]
    shutil.move("runs", "elsewhere")
    assert complete("resume ") == [""]
    assert complete("--runs elsewhere rm ") == sorted([run.id, other.id])


def test_experiments_here_and_those_that_ship(complete):
    Path("experiments").mkdir()
    Path("experiments/my_question.py").write_text(TRAP + "experiment = Experiment()\n")
    Path("experiments/helper.py").write_text("x = 1\n")
    found = complete("run ")
    assert {"my-question", "perfect-g", "notebook", "notebook/lying"} <= set(found)
    assert "helper" not in found and "tune/light-dcgan" not in found
    assert "tune/light-dcgan" in complete("tune ")
    assert not Path("sprung").exists()


def test_image_sets(complete, monkeypatch, tmp_path):
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "data"))  # no sets of other tests
    place = tmp_path / "data" / "imported" / "my-set" / "32"
    place.mkdir(parents=True)
    (place / "about.json").write_text("{}")
    assert complete("train dcgan64 --data my") == ["my-set"]
    assert complete("train cut-light --data my-set+f") == ["my-set+faces", "my-set+fractals"]
    assert complete("data show ") == ["faces", "fractals", "my-set"]


def test_files_of_the_users_are_read_and_not_executed(complete):
    Path("mine.py").write_text(TRAP)
    Path("recipe.json").write_text('{"is": "GANRecipe", "epochs": 3, "model": {"width": 4}}')
    Path("broken.py").write_text("class (")
    assert complete("evaluate x --metric mi") == ["mine.py"]
    assert complete("evaluate x --metric mine.py:") == ["mine.py:Eyes", "mine.py:nose"]
    assert complete("train dcgan64 --callback mine.py:E") == ["mine.py:Eyes"]
    assert complete("train dcgan64 --callback broken.py:") == [""]
    assert complete("train rec") == ["recipe.json"]
    assert complete("train recipe.json --set model.") == ["model.width="]
    assert not Path("sprung").exists()


def test_nothing_heavy_is_loaded_once_that_is_known(complete, known, make_run, tiny):
    make_run(tiny)
    script = LOADED.format(names=("torch", "numpy", "scipy", "pydantic", "rich"))
    for line in ("", "train ", "train dcgan64 --set model.", "run ", "resume ", "data show "):
        complete(line, ("-c", script))
        assert complete.printed == "end\n", line


def test_without_a_question_argcomplete_is_not_loaded():
    script = "import sys; from bascule.cli import main; main(['data', 'list'])\n"
    script += "print('argcomplete' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_what_is_known_is_found_out_again_when_the_package_has_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path))
    monkeypatch.setattr(completion, "_loaded", lambda: {"presets": {"new": {"about": "a net"}}})
    path = tmp_path / completion.CACHE
    for old in (None, "{", "[]", '{"changed": [], "presets": {}}'):
        if old:
            path.write_text(old)
        assert completion.presets("") == {"new": "a net"}
    monkeypatch.setattr(completion, "_loaded", lambda: pytest.fail("it is known"))
    assert completion.presets("") == {"new": "a net"}
    assert json.loads(path.read_text())["changed"]


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_code_for_a_shell_names_the_command(bascule, shell):
    code, out, _ = bascule("completion", shell)
    assert code == 0 and "_ARGCOMPLETE" in out and "bascule" in out


def test_an_unknown_shell_is_one_line(bascule):
    code, _, err = bascule("completion", "csh")
    assert code == 2 and "invalid choice: 'csh'" in err and err.count("\n") == 1


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_with_that_code(bascule, tmp_path):
    Path("bascule").write_text(f'#!/bin/sh\nexec {sys.executable} -m bascule "$@"\n')
    Path("bascule").chmod(0o755)
    Path("start").write_text(bascule("completion", "bash")[1])
    ask = (
        "source ./start; COMP_LINE='bascule draw wa'; COMP_POINT=15; "
        '_python_argcomplete bascule; echo "[${COMPREPLY[*]}]"'
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ask], env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.stdout.strip() in ("[walk]", "[walk ]"), done.stderr
