"""Downloads the Simpsons faces from Kaggle, for users who accept the terms."""

from __future__ import annotations

from bascule.core.errors import UserError
from bascule.core.shapes import Shape
from bascule.data.images import Progress
from bascule.data.imported import Report, import_images

KAGGLE_SET = "kostastokis/simpsons-faces"
LICENCE = (
    "Simpsons faces (Kaggle, kostastokis/simpsons-faces): about 9,900 faces cut from episodes. "
    "The artwork is copyright of its owners (20th Television, Disney); the page of the set grants "
    "no rights to it. Use it for private research only: do not share the images, and think before "
    "you share images of a model that was trained on them."
)
CREDIT = (
    "The Simpsons artwork (c) 20th Television / Disney; faces collected by kostastokis (Kaggle). "
    "Research use only: do not redistribute."
)


def fetch_simpsons(
    accept_licence: bool,
    name: str = "simpsons",
    size: int | Shape = 64,
    skip_corrupt: bool = False,
    replace: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Download the set with ``kagglehub`` (optional) and import it as ``name``.

    Raises UserError, which says what to do, if the terms are not accepted, if kagglehub is missing,
    or if the download fails; and as :func:`import_images`.
    """
    if not accept_licence:
        raise UserError(f"{LICENCE} If you agree, run again with --accept-licence")
    try:
        import kagglehub
    except ImportError:
        raise UserError(
            f'kagglehub is not installed: pip install "bascule[kaggle]", {_hand()}'
        ) from None
    try:
        folder = kagglehub.dataset_download(KAGGLE_SET)
    except Exception as error:  # errors of kagglehub or of the network
        first_line = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise UserError(
            f"the download from Kaggle failed ({first_line}): try again, {_hand()}"
        ) from None
    return import_images(
        folder,
        name,
        size=size,
        skip_corrupt=skip_corrupt,
        replace=replace,
        credit=CREDIT,
        progress=progress,
    )


def _hand() -> str:
    return (
        f"or download the Kaggle set {KAGGLE_SET} in a browser and run: "
        "bascule data import ARCHIVE.zip --name simpsons"
    )
