"""The z-score of an image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bascule.core.errors import UserError
from bascule.core.fields import check_fields
from bascule.sdpc.preprocess.chain import Kept, Transform


@dataclass(frozen=True)
class Standardise(Transform):
    """Gives each image mean 0 and standard deviation 1 over all its pixels and channels together.

    The variance is the sum of squares divided by n - 1, as in the code of Boutin et al. 2021.
    Colours are kept, since the channels of an image share one mean and one standard deviation.
    """

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def invertible(self) -> bool:
        return True

    def apply(self, x: Tensor) -> tuple[Tensor, Kept]:
        """x (B, C, H, W) -> its z-scores, and "mean" and "std", (B, 1, 1, 1) each."""
        every = (1, 2, 3)
        # Minimum and maximum detect a constant image exactly. Its standard deviation may be above 0
        # by rounding.
        constant = x.amax(dim=every) == x.amin(dim=every)
        if constant.any():
            raise UserError(
                f"image {int(constant.nonzero()[0])} is constant: its standard deviation is 0; "
                "remove it from the set"
            )
        mean, std = x.mean(dim=every, keepdim=True), x.std(dim=every, keepdim=True)
        return (x - mean) / std, {"mean": mean, "std": std}

    def undo(self, y: Tensor, kept: Kept) -> Tensor:
        return y * kept["std"] + kept["mean"]
