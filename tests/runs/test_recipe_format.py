"""The number of the format of a recipe's file: absent in older files, refused if newer."""

import json

import pytest

from bascule.core.errors import UserError
from bascule.runs import codec, recipe_format
from bascule.runs.store import Run


def rewritten(run, change):
    path = run.folder / "recipe.json"
    plain = json.loads(path.read_text("utf-8"))
    change(plain)
    path.write_text(json.dumps(plain), "utf-8")
    return Run(run.folder)


def test_an_older_file_has_none_and_is_the_same_run(make_run, store, tiny):
    run = make_run(tiny)
    old = rewritten(run, lambda plain: plain.pop("recipe_format"))
    assert old.recipe == tiny and old.epochs == tiny.epochs
    assert store.same(tiny, "run", run.about["data_digest"]) == old


@pytest.mark.parametrize("found", [2, 0, "1", None, True, 1.0])
def test_another_number_is_refused_in_one_line(make_run, store, tiny, found):
    run = make_run(tiny)
    rewritten(run, lambda plain: plain.update(recipe_format=found))
    _, unreadable = store.scan()
    assert f"recipe_format={found!r}" in unreadable[run.id]
    assert "install a newer one" in unreadable[run.id] and "\n" not in unreadable[run.id]
    with pytest.raises(UserError, match="recipe_format"):
        codec.decode(recipe_format.stamped({}) | {"is": "GANRecipe", "recipe_format": found})


def test_the_number_is_no_field_and_no_part_of_the_digest(tiny):
    plain = recipe_format.stamped(codec.encode(tiny))
    assert codec.decode(plain) == tiny
    assert codec.digest(codec.decode(plain)) == codec.digest(tiny)


def test_a_recipe_that_a_newer_version_wrote_cannot_be_trained(bascule, tmp_path, tiny):
    plain = recipe_format.stamped(codec.encode(tiny)) | {"recipe_format": 7}
    (tmp_path / "newer.json").write_text(json.dumps(plain), "utf-8")
    code, _, err = bascule("train", "newer.json")
    assert code == 2 and "recipe_format=7" in err and len(err.strip().splitlines()) == 1
