"""Fetching from Kaggle, with a kagglehub of our own."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bascule.core.errors import UserError
from bascule.data.fetch import KAGGLE_SET, fetch_simpsons
from bascule.data.imported import Imported


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BASCULE_DATA", str(tmp_path / "root"))


def test_the_terms_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(name: str) -> str:
        raise AssertionError("downloaded without consent")

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=never))
    with pytest.raises(UserError, match=r"research only.*--accept-licence"):
        fetch_simpsons(accept_licence=False)


def test_without_kagglehub_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # importing it now fails
    with pytest.raises(UserError, match=r'pip install "bascule\[kaggle\]".*bascule data import'):
        fetch_simpsons(accept_licence=True)


def test_offline_it_says_what_to_do_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name: str) -> str:
        raise ConnectionError("no route\nto host")

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=offline))
    with pytest.raises(UserError, match=r"no route.*bascule data import") as refusal:
        fetch_simpsons(accept_licence=True)
    assert "\n" not in str(refusal.value)


def test_what_is_downloaded_is_imported_with_its_credit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kaggle" / "cropped").mkdir(parents=True)
    for k, image in enumerate(np.random.default_rng(0).integers(0, 256, (4, 20, 20, 3))):
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"kaggle/cropped/{k}.png")
    asked = []

    def download(name: str) -> str:
        asked.append(name)
        return str(tmp_path / "kaggle")

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(dataset_download=download))
    report = fetch_simpsons(accept_licence=True, size=16)
    assert asked == [KAGGLE_SET] and report.imported == 4
    images = Imported("simpsons", 16).load()
    assert len(images) == 4 and "Disney" in images.credit and "Research use" in images.credit
