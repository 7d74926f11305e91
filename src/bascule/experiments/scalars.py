"""What the numbers of a run are: between which limits they lie, and what more of one means.

A scalar is known by its stem, the label without its brackets: "KID" of "KID[...]".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import inf

from bascule.training.recipe import AnyRecipe, Recipe

Limits = tuple[float, float]
ANY: Limits = (-inf, inf)
SHARE: Limits = (0.0, 1.0)
POSITIVE: Limits = (0.0, inf)
LIMITS: Mapping[str, Limits] = {
    r"D_(x|Gz|train|held_out|fake)|auc_\w+|accuracy_\w+|ece|one_nn_fake|fake_mean": SHARE,
    r"coverage( of .*)?|precision|recall|authenticity|1-NN .*|R@1.*|joint coverage.*": SHARE,
    r"mean TV.*|TV of .*|out of vocabulary.*|AUROC of .*|active of layer.*": SHARE,
    r"(attributes|kept|matched|edited as told|others kept)( .*)?": SHARE,
    r"lead|r_t|(paired )?SSIM.*": (-1.0, 1.0),
    r"grad_norm_[DG]|logit_std|(vendi|distance|rank)_ratio|nearest_\d+": POSITIVE,
    r"FD|sliced W1|density|Vendi|effective rank|spread|SWD|support at least": POSITIVE,
    r"missing categories|combinations|cost|iterations|milliseconds|error.*|mean rank.*": POSITIVE,
    r"(paired|cycle|hole) L1.*": POSITIVE,
}
LOSSES_FROM_0 = {  # under which objectives a loss is never below 0
    "loss_D": ("non-saturating", "minimax", "least-squares", "hinge", "relativistic"),
    "loss_G": ("non-saturating", "least-squares", "relativistic"),
}
MEANING: Mapping[str, tuple[str, str]] = {  # of more and of less
    "D_Gz": ("D is fooled more", "D is fooled less"),
    "D_x": ("D is surer of real pictures", "D is less sure of real pictures"),
    "lead": ("D tells real from fake better", "D tells real from fake less well"),
    "loss_D": ("D does worse", "D does better"),
    "KID": ("fakes are further from real pictures", "fakes are nearer to real pictures"),
    "mmd": ("fakes are further from real pictures", "fakes are nearer to real pictures"),
    "coverage": ("fakes cover more of the real pictures", "fakes cover less of the real pictures"),
    "mean TV": ("attributes of fakes are further off", "attributes of fakes are nearer"),
    "auc_train_vs_held_out": (
        "D knows more training pictures by heart",
        "D knows fewer training pictures by heart",
    ),
}
OF_SCORES = ("D_Gz", "D_x", "lead")  # which mean this where D's logit is a log odds


def stem(scalar: str) -> str:
    """The scalar without its brackets."""
    return scalar.partition("[")[0]


def limits(scalar: str, recipes: Iterable[AnyRecipe] = ()) -> Limits:
    """Between which numbers a scalar always lies; a side may be infinite.

    ``recipes``: of the runs that measured it, which limit losses.
    """
    name = stem(scalar)
    kinds = [recipe.objective.kind for recipe in recipes if isinstance(recipe, Recipe)]
    if name in LOSSES_FROM_0 and kinds and all(kind in LOSSES_FROM_0[name] for kind in kinds):
        return POSITIVE
    return next((found for pattern, found in LIMITS.items() if re.fullmatch(pattern, name)), ANY)


def of_difference(first: Limits, second: Limits) -> Limits:
    """Between which numbers a difference lies, first minus second."""
    return first[0] - second[1], first[1] - second[0]
