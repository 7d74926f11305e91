"""What the numbers of a run are: between which limits they lie, and what more of one means.

A scalar is known by its stem, the label without its brackets: "KID" of "KID[...]".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import inf

from bascule.training.recipe import AnyRecipe

Limits = tuple[float, float]
ANY: Limits = (-inf, inf)
SHARE: Limits = (0.0, 1.0)
POSITIVE: Limits = (0.0, inf)
LIMITS: Mapping[str, Limits] = {
    r"D_(x|Gz|train|held_out|fake)|auc_\w+|AUC of .*|accuracy_\w+|ece|one_nn_fake|fake_mean": SHARE,
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
EXPLAINED: Mapping[str, str] = {  # a line each; coverage and others of features alike
    "D_x": "the mean score that D gives real pictures: 1, it is sure of them; 1/2, it cannot tell",
    "D_Gz": "the mean score that D gives fakes: 0, it sees through them; 1/2, it cannot tell",
    "lead": "D_x − D_Gz: 1, D tells all; 0, it tells nothing",
    "loss_D": "what D minimises: the lower, the better it tells real from fake",
    "loss_G": "what G minimises: the higher, the better D sees through its fakes",
    "mmd": "how far fakes are from real pictures, by features of random convolutions: 0, alike",
    "KID": "how far fakes are from real pictures, by features of a network: 0, alike",
    "coverage": "the share of real pictures that have a fake nearby: 1, all of them",
    "mean TV": "how far the shares of attributes, as hair styles, are from the real ones: 0, alike",
    "out of vocabulary": "the share of fakes with an attribute that no real picture has",
    "vendi_ratio": "how many different fakes there are, over as many real pictures: 1, as varied",
    "auc_held_out": "how often D scores a held-out real picture above a fake: 1, always; 1/2, it "
    "cannot tell",
    "auc_train_vs_held_out": "AUC, train against held-out: how often D scores a training picture "
    "above a held-out one: 1/2, it knows none by heart; 1, all",
    "r_t": "the mean sign of D's logit for training pictures: 1, it is sure of every one",
    "r_v": "how far D's scores of held-out pictures are on their way from training pictures (0) to "
    "fakes (1)",
    "grad_norm_D": "the length of the gradient of D's loss: 0, it learns nothing more",
    "grad_norm_G": "the length of the gradient of G's loss: 0, it learns nothing more",
}
OF_SCORES = ("D_Gz", "D_x", "lead")  # which mean this where D's logit is a log odds


def stem(scalar: str) -> str:
    """The scalar without its brackets."""
    return scalar.partition("[")[0]


def explained(scalars: Iterable[str]) -> list[tuple[str, str]]:
    """A line on each scalar that has one, in the order given."""
    names = dict.fromkeys(map(stem, scalars))
    return [(name, EXPLAINED[name]) for name in names if name in EXPLAINED]


def limits(scalar: str, recipes: Iterable[AnyRecipe] = ()) -> Limits:
    """Between which numbers a scalar always lies; a side may be infinite.

    ``recipes``: of the runs that measured it, which limit losses.
    """
    name = stem(scalar)
    played = (recipe.gan_objective for recipe in recipes)
    kinds = [getattr(objective, "kind", "") for objective in played if objective]
    if name in LOSSES_FROM_0 and kinds and all(kind in LOSSES_FROM_0[name] for kind in kinds):
        return POSITIVE
    return next((found for pattern, found in LIMITS.items() if re.fullmatch(pattern, name)), ANY)


def of_difference(first: Limits, second: Limits) -> Limits:
    """Between which numbers a difference lies, first minus second."""
    return first[0] - second[1], first[1] - second[0]
