"""Pairs of one's own: matched by name or side by side, held out together, learnt by pix2pix."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.data.images import DOMAIN
from bascule.data.imported import Imported, import_images
from bascule.runs import codec
from bascule.runs.store import Store
from bascule.translation.evaluation import Kinds
from bascule.translation.own_pairs import OwnPairs, import_pairs


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))
    monkeypatch.chdir(tmp_path)


def save(path, pixels):
    """``pixels``: (3, H, W)."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.transpose(1, 2, 0)).save(path)


def pictures(n, seed, size=16):
    return np.random.default_rng(seed).integers(0, 256, (n, 3, size, size), np.uint8)


def domains(images):
    first = images.labels[DOMAIN] == "a"
    return images.pixels[first], images.pixels[~first], images.held_out[first]


def test_pictures_of_equal_names_are_pairs_and_are_held_out_together():
    ours, theirs = pictures(40, 1), pictures(40, 2)
    for k in range(40):
        save(f"photos/{k:02d}.png", ours[k])
        save(f"maps/{39 - k:02d}.bmp", theirs[39 - k])  # another order of writing, another suffix
    Path("maps/licence.txt").write_text("mine")
    report = import_pairs("photos", "maps", "streets", 16)
    assert (report.found, report.imported) == (40, 80)
    found = OwnPairs("streets", 16).load()
    a, b, held_out = domains(found)
    assert np.array_equal(a, ours) and np.array_equal(b, theirs)
    assert np.array_equal(held_out, found.held_out[found.labels[DOMAIN] == "b"])
    assert held_out.sum() == 4
    kinds = Kinds.of(found, 100, True)
    assert np.array_equal(kinds.given, ours[held_out])
    assert np.array_equal(kinds.truth, theirs[held_out])
    assert import_pairs("photos", "maps", "streets", 16).reused


def test_two_pictures_in_one_are_cut_apart_and_may_be_swapped():
    ours, theirs = pictures(20, 1), pictures(20, 2)
    for k in range(20):
        save(f"both/{k:02d}.png", np.concatenate([ours[k], theirs[k]], 2))
    import_pairs("both", None, "streets", 16)
    a, b, _ = domains(OwnPairs("streets", 16).load())
    assert np.array_equal(a, ours) and np.array_equal(b, theirs)
    a, b, _ = domains(OwnPairs("streets", 16, swapped=True).load())
    assert np.array_equal(a, theirs) and np.array_equal(b, ours)
    arrays = np.concatenate([ours, theirs], 3).transpose(0, 2, 3, 1)
    np.savez("both.npz", images=arrays)
    import_pairs("both.npz", None, "arrays", 16)
    assert np.array_equal(
        OwnPairs("arrays", 16).load().pixels, OwnPairs("streets", 16).load().pixels
    )


def test_pairs_stay_together_only_if_both_pictures_are_near_duplicates():
    ours, theirs = pictures(40, 1), pictures(40, 2)
    ours[:] = 255  # drawings on white are all alike
    ours[1], theirs[1] = ours[0], theirs[0]
    for k in range(40):
        save(f"edges/{k:02d}.png", ours[k])
        save(f"shoes/{k:02d}.png", theirs[k])
    import_pairs("edges", "shoes", "pairs", 16)
    _, _, held_out = domains(OwnPairs("pairs", 16).load())
    assert 0 < held_out.sum() <= 4 and held_out[0] == held_out[1]


def test_a_picture_without_a_counterpart_is_told_or_left_out():
    for k in range(5):
        save(f"photos/{k}.png", pictures(5, 1)[k])
        save(f"maps/{k + 1}.png", pictures(5, 2)[k])
    with pytest.raises(
        UserError, match=r"2 of 6 pairs in photos cannot be used: photos/0.png: has"
    ):
        import_pairs("photos", "maps", "streets", 16)
    Path("maps/2.png").write_bytes(b"no picture")
    report = import_pairs("photos", "maps", "streets", 16, skip_corrupt=True)
    assert report.imported == 6 and len(report.corrupt) == 3
    a, b, _ = domains(OwnPairs("streets", 16).load())
    assert np.array_equal(a, pictures(5, 1)[[1, 3, 4]])
    assert np.array_equal(b, pictures(5, 2)[[0, 2, 3]])


def test_what_are_no_pairs_is_refused():
    save("photos/a.png", pictures(1, 1)[0])
    save("photos/b.png", pictures(1, 2)[0])
    save("maps/c.png", pictures(1, 2)[0])
    save("twice/a.png", pictures(1, 2)[0])
    save("twice/a.bmp", pictures(1, 2)[0])
    save("odd/a.png", pictures(1, 2, 17)[0])
    cases = {
        (
            "photos",
            "maps",
        ): r"no picture of photos \(such as a.png\) has a counterpart in maps \(su",
        ("photos", "twice"): "a.bmp and a.png differ only in their suffix",
        ("photos", "nowhere"): "no such file or folder: nowhere",
        ("odd", None): "17 pixels wide, which two pictures cannot share",
    }
    for (first, second), said in cases.items():
        with pytest.raises(UserError, match=said):
            import_pairs(first, second, "pairs", 16)
    import_images("photos", "plain", 16)
    with pytest.raises(UserError, match="'plain' has no pairs"):
        OwnPairs("plain", 16).load()
    with pytest.raises(UserError, match="no image set 'nothing'"):
        OwnPairs("nothing", 16).load()


def test_pix2pix_learns_from_them_and_is_measured_against_the_truth(bascule):
    for k in range(40):
        picture = pictures(40, 1, 32)[k]
        save(f"photos/{k:02d}.png", picture)
        save(f"maps/{k:02d}.png", 255 - picture)
    words = ("data", "import", "photos", "--pairs", "maps", "--name", "negatives", "--size", "32")
    code, out, err = bascule(*words)
    assert code == 0 and "40 pairs: bascule train pix2pix-light --data negatives" in out, err
    assert Imported("negatives", 32).load().labels.keys() == {DOMAIN}
    model = "model=Pix2Pix(width=4, blocks=1, size=32, net=resnet, width_D=4, halvings=2)"
    small = ("--set", model, "epochs=1", "threads=1", "device=cpu", "precision=fp32")
    code, _, err = bascule("train", "pix2pix-light", "--data", "negatives", "--name", "n", *small)
    assert code == 0, err
    run = Store(Path("runs")).find("n")
    assert run.recipe.data == OwnPairs("negatives", 32)
    assert codec.decode(codec.encode(run.recipe)).data == run.recipe.data
    code, out, err = bascule("evaluate", "n", "--extractor", "random-conv")
    assert code == 0, err
    kept = json.loads((run.folder / "metrics.json").read_text())["evaluations"][0]
    found = {v["scale"]["label"]: v["measured"]["value"] for v in kept["values"]}
    held = pictures(40, 1, 32)[domains(run.recipe.data.load())[2]].astype(float)
    expected = np.abs(held - (255 - held)).mean() / 255
    assert found["paired L1 of copy[translation,32px]"] == pytest.approx(expected, rel=1e-5)
    assert "paired SSIM[translation,32px]" in found


def test_options_that_contradict_pairs_get_one_line(bascule):
    save("photos/a.png", pictures(1, 1)[0])
    start = ("data", "import", "photos", "--name", "x")
    cases = [
        (("--pairs", "photos", "--side-by-side"), "not allowed with"),
        (("--pairs", "photos", "--held-out", "photos"), "--pairs with --held-out"),
        (("--side-by-side", "--mode", "grey"), "pairs are RGB squares"),
        (("--side-by-side", "--size", "64x32"), "pairs are RGB squares"),
        (("--side-by-side", "--bits", "12"), "--side-by-side with --bits"),
    ]
    for words, said in cases:
        code, _, err = bascule(*start, *words)
        assert code == 2 and said in err, (words, err)
