"""Quality while a run trains: the numbers of `look`, kept, and a run that does not notice it."""

import pytest

from bascule.core.errors import UserError
from bascule.data.faces import Faces
from bascule.evaluation.evaluate import look
from bascule.features.extractors import extractor
from bascule.runs.evaluations import evaluations
from bascule.runs.execute import execute
from bascule.runs.generate import generate
from bascule.runs.quality import QualityEvery


def test_it_measures_at_its_epochs_and_at_the_end_and_changes_nothing(tiny, make_run, store, same):
    recipe = tiny.replace(data=Faces(n=80, size=32, held_out=0.5), epochs=3, keep_every_epochs=1)
    images, eyes = recipe.data.load(), extractor("pixels")
    plain, watched = make_run(recipe, "plain"), make_run(recipe.replace(seed=0), "watched")
    execute(plain, store)
    told = []
    execute(watched, store, (QualityEvery(watched, 2, images, eyes, 40, told.append),))
    assert [found.epoch for found in told] == [2, 3]
    assert same(plain.load_checkpoint(), watched.load_checkpoint())
    kept = evaluations(watched.folder)
    assert [found.epoch for found in kept] == [2, 3]
    for found in kept:
        expected = look(generate(watched, 40, found.epoch).pictures, images, eyes)
        assert repr(found.values) == repr(expected.values)  # some errors are NaN
        assert len(found.values) == 2


def test_what_cannot_be_measured_is_refused(tiny, tiny_sdpc, make_run):
    images, eyes = tiny.data.load(), extractor("pixels")
    with pytest.raises(UserError, match="draws no fakes"):
        QualityEvery(make_run(tiny_sdpc, "codes"), 1, images, eyes)
    with pytest.raises(UserError, match="every 0 epochs: expected at least 1"):
        QualityEvery(make_run(tiny), 0, images, eyes)


def test_a_verb_tells_each_number_with_its_floor(bascule, store):
    given = ("data=Faces(n=80,size=32,held_out=0.5)", "model=DCGAN(width=4,z_dim=8,size=32)")
    more = ("epochs=2", "batch=8", "threads=1", "device=cpu", "precision=fp32")
    words = ("train", "dcgan64-tiny", "--set", *given, *more, "--quality-every")
    code, _, err = bascule(*words, "1")
    assert code == 0
    lines = [line for line in err.splitlines() if line.startswith("epoch ") and "KID" in line]
    assert [line.partition(":")[0] for line in lines[:2]] == ["epoch 1", "epoch 2"]
    assert all("(floor " in line for line in lines)
    code, _, err = bascule(*words, "0", "--name", "none")
    assert code == 2 and "expected at least 1" in err
    assert not list(store.root.glob("*-none-*"))
