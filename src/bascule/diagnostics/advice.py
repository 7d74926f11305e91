"""What people try against each failure that :mod:`rules` names.

These are common remedies from the literature, no findings of this project. A fork from a moment
before the failure shows whether one of them helps here.
"""

from __future__ import annotations

ADVICE = {
    "D wins": "Make D slower or its task harder: a lower lr_D, a penalty on its slope (R1), "
    "InstanceNoise or DiffAugment. More images help, too.",
    "D dead": "Give D more to learn with: a higher lr_D, less noise or augmentation, a smaller "
    "penalty. If it does not come back, go back to a moment before.",
    "mode collapse": "Go back to a moment before it began. Then a lower lr_G, a penalty on D's "
    "slope (R1), DiffAugment, or a larger batch.",
    "D over-fits": "Hide the few images from D: AdaptiveAugment or DiffAugment; more images, or a "
    "narrower D. Or end the run earlier.",
    "memorisation": "Look at the fakes beside their nearest training images. More images, a "
    "narrower G, or an earlier end.",
    "forgetting": "Show D old fakes again (FakeHistory), or lower lr_D.",
    "oscillation": "Lower both rates, add a penalty on D's slope (R1), or average G over time "
    "(ema_half_life).",
    "healthy": "Nothing to mend: let it go on.",
}
