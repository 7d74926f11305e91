"""The verb that measures: evaluate."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bascule import atomic
from bascule.cli.numbers import a_seed, an_epoch, real, whole
from bascule.cli.play import load_images, named_data
from bascule.errors import Refusal
from bascule.runs.store import Run, Store, slug

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from bascule.attributes.pair import PairReader
    from bascule.attributes.reading import AttributeClassifier
    from bascule.coding.coder import Coder
    from bascule.data.images import ImageSet
    from bascule.evaluation.evaluation import Evaluation
    from bascule.features.extractor import Extractor
    from bascule.metrics.measured import Measured
    from bascule.metrics.metric import Metric
    from bascule.reports.page import Table


OUTPUT = "default: the run; for a folder of pictures, evaluations/ beside the runs"


def add(verbs: argparse._SubParsersAction) -> None:
    """Add the verbs of this file to the command line."""
    evaluate = verbs.add_parser(
        "evaluate", help="measure a run, or a folder of pictures: every number beside its floor"
    )
    evaluate.add_argument("target", help="a run's id, a part of it, or a folder of RGB pictures")
    evaluate.add_argument("--data", metavar="NAME", help="for a folder: the set to compare it with")
    evaluate.add_argument(
        "-n", type=whole(1_000_000), default=5000, metavar="N", help="fakes (default: 5000)"
    )
    evaluate.add_argument(
        "--epoch", type=an_epoch, nargs="+", metavar="E", help="kept checkpoints of the run"
    )
    evaluate.add_argument("--all-epochs", action="store_true", help="every kept checkpoint")
    evaluate.add_argument(
        "--extractor",
        "--features",
        action="append",
        default=[],
        metavar="NAME",
        help=_extractors,
    )
    evaluate.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="FILE:NAME",
        help="a metric of your own, such as my_metrics.py:Eyes; may be repeated",
    )
    evaluate.add_argument(
        "--standing",
        type=whole(1_000_000),
        default=0,
        metavar="N",
        help="first take G's BatchNorm statistics over N batches of 250 latents",
    )
    evaluate.add_argument("--no-attributes", action="store_true", help="skip the exact attributes")
    evaluate.add_argument("--seed", type=a_seed, default=0, help="of the latents (default: 0)")
    evaluate.add_argument("-o", "--output", type=Path, metavar="DIR", help=OUTPUT)
    evaluate.add_argument(
        "--k-fb",
        type=real(1e6),
        nargs="+",
        metavar="K",
        help="of SDPC: feedback to settle with; of a hybrid: its fakes are settled, too",
    )
    evaluate.add_argument(
        "--no-settled-fakes",
        action="store_true",
        help="of a hybrid: --k-fb for the rest alone, which saves minutes",
    )
    evaluate.add_argument(
        "--sigma", type=real(1e6), nargs="+", metavar="S", help="of SDPC: noise to take away"
    )
    evaluate.add_argument(
        "--decoded", action="store_true", help="of SDPC: how well pictures come back from codes"
    )
    evaluate.add_argument(
        "--abilities",
        action="store_true",
        help="of SDPC: telling foreign pictures, filling a hole, editing one attribute",
    )
    evaluate.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    evaluate.set_defaults(do=do_evaluate)


def _extractors() -> str:
    from bascule.features.extractors import DEFAULT, EXTRACTORS

    known = ", ".join(EXTRACTORS)
    return f"{known}, or one of your own, FILE:NAME (default: {DEFAULT}); may be repeated"


def spaces_of(args: argparse.Namespace) -> list[Extractor]:
    """The extractors that are asked for; those of the user's are FILE:NAME."""
    from bascule.features.extractors import DEFAULT, extractor

    own = own_spaces(args)
    return [own.get(name) or extractor(name) for name in dict.fromkeys(args.extractor or [DEFAULT])]


def own_spaces(args: argparse.Namespace) -> dict[str, Extractor]:
    """Those of the user's, by what names them."""
    from bascule.runs.own import extractor_named

    return {name: extractor_named(name) for name in args.extractor if ":" in name}


def metrics_of(args: argparse.Namespace) -> list[Metric]:
    """The user's metrics that are asked for."""
    from bascule.runs.own import metric_named

    found = [metric_named(text) for text in dict.fromkeys(args.metric)]
    for name in (names := [metric.name for metric in found]):
        if names.count(name) > 1:
            raise Refusal(f"--metric {args.metric[-1]}: two metrics are called {name!r}")
    return found


def do_evaluate(args: argparse.Namespace) -> int:
    if args.n < 2:
        raise Refusal(f"-n {args.n}: expected at least 2 fakes")
    if args.standing < 0:
        raise Refusal(f"--standing {args.standing}: expected a number of batches >= 0")
    store = Store(args.runs)
    path = Path(args.target)
    if path.exists() and not (path / "recipe.json").exists():
        return _folder(args, path)
    run = store.find(args.target)
    if args.data:
        raise Refusal(f"--data {args.data}: {run.id} is a run, it is measured against its own set")
    return _run(args, run)


def _run(args: argparse.Namespace, run: Run) -> int:
    from bascule.cli.progress import counter
    from bascule.reports.run_note import write_run_note
    from bascule.runs.execute import check_data
    from bascule.runs.generate import generate
    from bascule.training.hybrid import HybridRecipe
    from bascule.training.sdpc import SDPCRecipe
    from bascule.training.translation import TranslationRecipe

    if args.all_epochs and args.epoch is not None:
        raise Refusal("--epoch and --all-epochs: give one of them")
    if run.playable.shows_held_out():
        raise Refusal(f"{run.id} shows D the held-out images: none is left to measure with")
    images = load_images(run.recipe.data)
    check_data(run, images)
    epochs = run.kept_epochs() if args.all_epochs else args.epoch or [None]
    if not epochs:
        raise Refusal(f"{run.id} keeps no checkpoint yet: train it first")
    metrics_of(args), own_spaces(args)  # refused before anything is drawn
    is_sdpc, is_hybrid = isinstance(run.recipe, SDPCRecipe), isinstance(run.recipe, HybridRecipe)
    if args.metric and is_sdpc:
        raise Refusal(f"--metric: {run.id} is a network of SDPC, which draws no fakes to measure")
    of_codes = args.k_fb or args.sigma or args.decoded or args.abilities
    if of_codes and not (is_sdpc or is_hybrid):
        raise Refusal(
            f"--k-fb, --sigma, --decoded and --abilities are for SDPC, and {run.id} is no run of it"
        )
    for epoch in epochs:
        if is_sdpc:
            _coding(args, run, images, epoch)
            continue
        if isinstance(run.recipe, TranslationRecipe):
            _translation(args, run, images, epoch)
            continue
        with counter("drawing the fakes") as tell:
            fakes, done = generate(run, args.n, epoch, args.seed, tell, args.standing)
        also = partial(_through_codes, args, run, images, fakes, epoch) if of_codes else None
        _measure(args, fakes, images, run.id, done, args.output or run.folder, also)
    if not args.output and not args.worker:
        print(f"note: {write_run_note(run, images.credit)}")
    return 0


def _folder(args: argparse.Namespace, path: Path) -> int:
    from bascule.cli.progress import counter
    from bascule.evaluation.folder import pictures_in
    from bascule.now import address

    if not args.data:
        raise Refusal(
            f"{path} is a folder of pictures: say what to compare it with: --data faces, fractals "
            "or an imported set"
        )
    if args.epoch is not None or args.all_epochs:
        raise Refusal(f"{path} is a folder of pictures: it has no epochs")
    whole = path.resolve()
    if args.output and whole in (args.output.resolve(), *args.output.resolve().parents):
        raise Refusal(f"-o {args.output}: the pictures are there; give another folder")
    # Two folders of one name have places of their own.
    called = f"{slug(whole.name)}-{address(whole):016x}"[:-8]
    output = args.output or args.runs / "evaluations" / called
    with counter("reading the pictures") as tell:
        fakes = pictures_in(path, tell)[: args.n]
    images = load_images(named_data(args.data, fakes.shape[-1]))
    _measure(args, fakes, images, whole.name, None, output)
    return 0


def _coding(args: argparse.Namespace, run: Run, images: ImageSet, epoch: int | None) -> None:
    """Measure a run of SDPC on held-out pictures, keep what was found, and print it."""
    from bascule.cli.progress import counter
    from bascule.coding.measure import K_FB, SIGMAS, measure_coding
    from bascule.evaluation.evaluation import Evaluation
    from bascule.reports.coding import coding_table, title
    from bascule.runs.coder import coder_of

    coder = coder_of(run, epoch)
    pictures = images.pixels[images.indices("held_out")][: args.n]
    with counter("settling on held-out pictures") as tell:
        few = () if args.decoded else K_FB
        found: dict[str, Measured | str] = {
            **measure_coding(
                coder, pictures, args.k_fb or few, args.sigma or SIGMAS, args.seed, tell
            )
        }
    found |= _decoded(args, coder, images) if args.decoded else {}
    found |= _abilities(args, coder, images) if args.abilities else {}
    done = coder.state.epoch if coder.state else 0
    evaluation = Evaluation(run.id, done, len(pictures), images.name, ())
    evaluation = _with_codes(evaluation, found, images, args.seed)
    folder = args.output or run.folder
    _keep(args, folder, evaluation, None, title(evaluation), [coding_table(evaluation)])


def _with_codes(
    evaluation: Evaluation, found: dict[str, Measured | str], images: ImageSet, seed: int
) -> Evaluation:
    """With numbers that dictionaries gave, by label, on scales of their own; text says why there
    is none."""
    from bascule.evaluation.evaluate import value_of
    from bascule.evaluation.evaluation import LeftOut
    from bascule.metrics.measurement import parse

    space = f"SDPC codes, seed {seed}"
    values = [
        value_of(label, space, images, measured, parse(label).quantity.better or "lower")
        for label, measured in found.items()
        if not isinstance(measured, str)
    ]
    left_out = [LeftOut(label, why) for label, why in found.items() if isinstance(why, str)]
    return evaluation.with_more(values, left_out)


def _through_codes(
    args: argparse.Namespace, run: Run, images: ImageSet, fakes: np.ndarray, epoch: int | None
) -> dict[str, Measured | str]:
    """Of a hybrid: its fakes settled at each ``--k-fb``, held-out pictures ``--decoded``, and what
    its codes make of noise of each ``--sigma``."""
    from bascule.cli.progress import counter
    from bascule.coding.measure import measure_coding
    from bascule.coding.settling import measure_settled
    from bascule.runs.coder import coder_of

    found: dict[str, Measured | str] = {}
    coder = coder_of(run, epoch)
    if args.k_fb and not args.no_settled_fakes:
        reader = classifier_of(args, images)
        space = spaces_of(args)[0]
        with counter("settling the fakes") as tell:
            found |= measure_settled(
                coder, fakes, images, space, args.k_fb, reader, args.seed, tell
            )
    if args.sigma:
        pictures = images.pixels[images.indices("held_out")][: args.n]
        with counter("settling on held-out pictures") as tell:
            ways = args.k_fb or (coder.recipe.settle.k_fb,)
            found |= measure_coding(coder, pictures, ways, args.sigma, args.seed, tell)
    if args.decoded:
        found |= _decoded(args, coder, images)
    if args.abilities:
        found |= _abilities(args, coder, images, run, epoch)
    return found


def classifier_of(args: argparse.Namespace, images: ImageSet) -> AttributeClassifier | None:
    """What reads the attributes of ``images``, if they are built-in faces and it is asked for."""
    from bascule.attributes.reading import AttributeClassifier

    reader = None if args.no_attributes else reader_of(None, images)
    assert reader is None or isinstance(reader, AttributeClassifier)
    return reader


def reader_of(data: object, images: ImageSet) -> AttributeClassifier | PairReader | None:
    """What reads the attributes of ``images``, of a pair its second kind; learnt where it must be.

    None for pictures that nothing here can read.
    """
    from bascule.attributes.classifier import classifier, style_of
    from bascule.attributes.pair import pair_reader
    from bascule.cli.progress import counter
    from bascule.data.domains import TwoSets
    from bascule.data.faces import Faces
    from bascule.data.pairs import CartoonPair

    second = data.b if isinstance(data, TwoSets) else None
    style = second.style if isinstance(second, Faces) else style_of(images)
    if not style and not isinstance(data, CartoonPair):
        return None
    with counter(f"learning to read the attributes of {style or 'a pair'} (once)") as tell:
        if style:
            return classifier(style, images.size, tell)
        return pair_reader("b", images.size, tell)


def _decoded(args: argparse.Namespace, coder: Coder, images: ImageSet) -> dict[str, Measured | str]:
    """What comes back from the codes of held-out pictures, by label."""
    from bascule.cli.progress import counter
    from bascule.coding.decoding import measure_decoding

    reader = classifier_of(args, images)
    with counter("decoding held-out pictures") as tell:
        space = spaces_of(args)[0]
        return dict(measure_decoding(coder, images, args.n, space, reader, args.seed, tell))


def _abilities(
    args: argparse.Namespace,
    coder: Coder,
    images: ImageSet,
    run: Run | None = None,
    epoch: int | None = None,
) -> dict[str, Measured | str]:
    """What codes are good for, by label; of a hybrid's ``run`` its D is asked about foreign
    pictures, too."""
    from bascule.cli.progress import counter
    from bascule.coding import abilities
    from bascule.coding.measure import K_FB
    from bascule.runs.generate import judged_by

    n = min(args.n, abilities.PICTURES)
    scores = {"codes": abilities.cost(coder)}
    if run is not None:
        scores["D"] = judged_by(run, epoch)
    found: dict[str, Measured | str] = {}
    found |= abilities.measure_foreign(scores, images, n, args.seed)
    with counter("filling holes") as tell:
        found |= abilities.measure_inpainting(coder, images, n, args.k_fb or K_FB[::2], tell)
    reader = classifier_of(args, images)
    if reader is not None:
        found |= abilities.measure_editing(coder, images, n, reader)
    return found


def _translation(args: argparse.Namespace, run: Run, images: ImageSet, epoch: int | None) -> None:
    """Measure a run's translations of held-out pictures, keep what was found, and print it."""
    from bascule.attributes.pair import PairReader
    from bascule.attributes.reading import AttributeClassifier
    from bascule.cli.progress import counter
    from bascule.data.pairs import CartoonPair
    from bascule.evaluation.translation import Kinds, evaluate_translation
    from bascule.reports.evaluation import title
    from bascule.reports.translation import translation_tables
    from bascule.runs.translate import ways_of

    spaces, own = spaces_of(args), metrics_of(args)
    if len(spaces) > 1:
        raise Refusal(f"--extractor {' '.join(args.extractor)}: give one for a run of translation")
    paired = isinstance(run.recipe.data, CartoonPair)
    kinds = Kinds.of(images, args.n, paired)
    reader = None if args.no_attributes else reader_of(run.recipe.data, images)
    ways = ways_of(run, epoch)
    found, picture = evaluate_translation(
        kinds,
        ways.there.floats,
        ways.back.floats if ways.back else None,
        spaces[0],
        counter,
        reader if isinstance(reader, PairReader) else None,
        reader if isinstance(reader, AttributeClassifier) else None,
        run.id,
        ways.epoch,
        args.seed,
        own,
    )
    folder = args.output or run.folder
    _keep(args, folder, found, picture, title(found), translation_tables(found))


def _measure(
    args: argparse.Namespace,
    fakes: np.ndarray,
    images: ImageSet,
    subject: str,
    epoch: int | None,
    folder: Path,
    also: Callable[[], dict[str, Measured | str]] | None = None,
) -> None:
    """Evaluate, measure what ``also`` measures, keep it all in ``folder``, and print it."""
    from bascule.cli.progress import counter
    from bascule.evaluation.evaluate import check_fakes, evaluate
    from bascule.reports.evaluation import evaluation_table, title

    spaces, own = spaces_of(args), metrics_of(args)
    check_fakes(fakes, images)
    reader = classifier_of(args, images)
    found, picture = evaluate(
        fakes, images, spaces, counter, reader, subject, epoch, args.seed, own
    )
    if also is not None:
        found = _with_codes(found, also(), images, args.seed)
    if not found.values and not args.worker:
        raise Refusal(f"nothing of {subject} can be measured: {found.remarks()[0]}")
    _keep(args, folder, found, picture, title(found), [evaluation_table(found)])


def _keep(
    args: argparse.Namespace,
    folder: Path,
    found: Evaluation,
    picture: Image.Image | None,
    title: str,
    tables: Sequence[Table],
) -> None:
    """Keep what was found, and the fakes beside their neighbours, in ``folder``, and print it."""
    from bascule.reports.terminal import console, on_terminal, rich_table
    from bascule.runs.evaluations import keep_evaluation, neighbour_file

    folder.mkdir(parents=True, exist_ok=True)
    path = keep_evaluation(folder, found)
    name = neighbour_file(found.epoch)
    if picture:
        atomic.write_png(folder / name, picture)
    if args.worker:
        return
    print(title)
    out = console()
    for table in tables:
        for shown in on_terminal(table, out.width) if out.is_terminal else [rich_table(table)]:
            out.print(shown)
    for remark in found.remarks():
        print(remark)
    print(f"metrics: {path}")
    if picture:
        print(f"neighbours: {folder / name}")
