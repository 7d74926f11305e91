"""Quantities of the package that are not :class:`Metric`s: of training, of attributes, of
translations and of codes.
"""

from __future__ import annotations

from bascule.metrics.quantity import ANY, POSITIVE, SHARE, SIGNED, Better, Limits, Quantity

BASELINES = ("copy", "random target", "colour transfer")  # of translation, without any training
LOW_PASS, SPLIT = "low-pass", "split"
WAYS = (LOW_PASS, SPLIT)  # of decoding, beside the layers
FOREIGN = ("shuffled", "fractals", "other style")  # images that are not from the set
SETTLED = ("layer", "k_fb")  # for images decoded from a layer, after inference with feedback


def _game(
    name: str,
    limits: Limits,
    more: str = "",
    less: str = "",
    explained: str = "",
    better: Better | None = None,
) -> Quantity:
    return Quantity(name, better, limits, more, less, explained, evaluated=False)


OF_GAME = (
    _game(
        "D_x",
        SHARE,
        "D is surer of real pictures",
        "D is less sure of real pictures",
        "the mean score that D gives real pictures: 1, it is sure of them; 1/2, it cannot tell",
    ),
    _game(
        "D_Gz",
        SHARE,
        "D is fooled more",
        "D is fooled less",
        "the mean score that D gives fakes: 0, it sees through them; 1/2, it cannot tell",
    ),
    _game(
        "lead",
        SIGNED,
        "D tells real from fake better",
        "D tells real from fake less well",
        "D_x − D_Gz: 1, D tells all; 0, it tells nothing",
    ),
    _game(
        "loss_D",
        ANY,
        "D does worse",
        "D does better",
        "what D minimises: the lower, the better it tells real from fake",
    ),
    _game(
        "loss_G",
        ANY,
        explained="what G minimises: the higher, the better D sees through its fakes",
    ),
    _game(
        "r_t",
        SIGNED,
        explained="the mean sign of D's logit for training pictures: 1, it is sure of every one",
    ),
)
ASKED = (  # measured by diagnostics, every few epochs
    _game(
        "mmd",
        ANY,
        "fakes are further from real pictures",
        "fakes are nearer to real pictures",
        "how far fakes are from real pictures, by features of random convolutions: 0, alike",
        "lower",
    ),
    _game(
        "vendi_ratio",
        POSITIVE,
        explained="how many different fakes there are, over as many real pictures: 1, as varied",
    ),
    _game(
        "auc_held_out",
        SHARE,
        explained="how often D scores a held-out real picture above a fake: 1, always; 1/2, it "
        "cannot tell",
    ),
    _game(
        "auc_train_vs_held_out",
        SHARE,
        "D knows more training pictures by heart",
        "D knows fewer training pictures by heart",
        "AUC, train against held-out: how often D scores a training picture above a held-out one: "
        "1/2, it knows none by heart; 1, all",
        "lower",
    ),
    _game(
        "r_v",
        ANY,
        explained="how far D's scores of held-out pictures are on their way from training pictures "
        "(0) to fakes (1)",
    ),
    _game(
        "grad_norm_D",
        POSITIVE,
        explained="the length of the gradient of D's loss: 0, it learns nothing more",
    ),
    _game(
        "grad_norm_G",
        POSITIVE,
        explained="the length of the gradient of G's loss: 0, it learns nothing more",
    ),
    *(
        _game(name, SHARE)
        for name in (
            *("auc_train", "auc_game", "accuracy_held_out", "ece", "one_nn_fake", "fake_mean"),
            *("D_train", "D_held_out", "D_fake", "AUC of D, train vs held-out"),
        )
    ),
    *(
        _game(name, POSITIVE)
        for name in ("logit_std", "distance_ratio", "rank_ratio", "nearest_10")
    ),
    _game(
        "nearest_50",
        POSITIVE,
        explained="how far fakes are from training pictures, over how far new real pictures are: "
        "1, as far; 0, they are copies",
    ),
)
OF_PEOPLE = (  # answers of judges who do not know which picture is which
    _game(
        "taken for real",
        SHARE,
        "people take more fakes for real",
        "people take fewer fakes for real",
        "how often people took a fake for the real picture beside it: 1/2, they cannot tell",
        "higher",
    ),
)
OF_IMAGES = (
    Quantity("support at least", "higher", POSITIVE),
    Quantity("SWD", "lower", POSITIVE),
)
OF_ATTRIBUTES = (
    Quantity(
        "mean TV",
        "lower",
        SHARE,
        "attributes of fakes are further off",
        "attributes of fakes are nearer",
        "how far the shares of attributes, as hair styles, are from the real ones: 0, alike",
        SETTLED,
    ),
    Quantity("TV", "lower", SHARE, takes=("attribute",), joiner=" of "),
    Quantity(
        "out of vocabulary",
        "lower",
        SHARE,
        explained="the share of fakes with an attribute that no real picture has",
        takes=("of", *SETTLED),
        of=WAYS,
    ),
    Quantity("missing categories", "lower", POSITIVE),
    Quantity("joint coverage", "higher", SHARE),
    Quantity("joint coverage in vocabulary", "higher", SHARE),
    Quantity("combinations", "floor", POSITIVE),
)
OF_PAIR_ATTRIBUTES = (
    *(
        Quantity(name, "higher", SHARE, takes=("of",), of=BASELINES)
        for name in ("attributes kept", "attributes matched")
    ),
    *(
        Quantity(name, "higher", limits, takes=("attribute", "of"), of=BASELINES, joiner=joiner)
        for name, limits, joiner in (
            ("kept", SHARE, " "),
            ("matched", SHARE, " "),
            ("information", ANY, " on "),
        )
    ),
)
OF_TRANSLATION = (
    Quantity("paired L1", "lower", POSITIVE, takes=("of", "layer"), of=(*BASELINES, *WAYS)),
    Quantity("paired SSIM", "higher", SIGNED, takes=("of",), of=BASELINES),
    Quantity("R@1", "higher", SHARE, takes=("of",), of=BASELINES),
    Quantity("mean rank", "lower", POSITIVE, takes=("of",), of=BASELINES),
    *OF_PAIR_ATTRIBUTES,
    Quantity("cycle L1", "lower", POSITIVE, takes=("after",)),
)
OF_CODES = (
    Quantity("cost", "lower", POSITIVE, takes=("k_fb",)),
    Quantity("iterations", "lower", POSITIVE, takes=("k_fb",)),
    Quantity("milliseconds", "lower", POSITIVE),
    Quantity("error", "lower", POSITIVE, takes=SETTLED),
    Quantity("active", "lower", SHARE, takes=SETTLED),
    Quantity("SSIM", "higher", SIGNED, takes=("of", *SETTLED, "sigma"), of=WAYS),
    Quantity("attributes read", "higher", SHARE, takes=("of", "layer"), of=WAYS),
    Quantity("hole L1", "lower", POSITIVE, takes=SETTLED),
    Quantity("AUROC", "higher", SHARE, takes=("of",), of=FOREIGN),
    Quantity("edited as told", "higher", SHARE, takes=("attribute",), joiner=" of "),
    Quantity("others kept", "higher", SHARE, takes=("attribute",), joiner=" of "),
)
NUMBERS: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        *(*OF_GAME, *ASKED, *OF_PEOPLE, *OF_IMAGES),
        *(*OF_ATTRIBUTES, *OF_TRANSLATION, *OF_CODES),
    )
}
