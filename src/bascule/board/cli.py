"""The verb board: the runs folder in a browser, or a static site of chosen runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.cli import completion
from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError

if TYPE_CHECKING:
    from bascule.runs.store import Run, Store


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    board = verbs.add_parser(
        "board",
        help="look at runs in a browser while they train",
        description="Serve a web page over the runs folder, on this machine alone, until Ctrl-C. "
        "With --export, write a static site of chosen runs instead.",
        examples=[
            "bascule board --open",
            "bascule board --port 8765",
            "bascule board --export site --stories",
        ],
    )
    board.add_argument(
        "run", nargs="*", help="runs of the static site, with --export", completer=completion.runs
    )
    board.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="write a static site, which any web server or a folder opens, and end",
    )
    board.add_argument(
        "--stories",
        action="store_true",
        help="with --export: three guided games on the built-in faces; they are trained first, "
        "for some minutes",
    )
    board.add_argument(
        "--port", type=int, default=0, metavar="N", help="port to listen on (default: any free one)"
    )
    board.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="NAME",
        help="address to listen on (default: 127.0.0.1, which only this machine reaches)",
    )
    board.add_argument("--open", action="store_true", help="open it in a browser")
    board.set_defaults(do=do_board)


def do_board(args: argparse.Namespace) -> int:
    from bascule.runs.store import Store

    if not 0 <= args.port < 2**16:
        raise UserError(f"--port {args.port}: expected 0 to 65535")
    if args.export is None and (args.run or args.stories):
        raise UserError("RUN and --stories are for a static site: give --export DIR too")
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise UserError(
            'the board needs starlette and uvicorn: pip install "bascule[board]"'
        ) from None
    store = Store(args.runs)
    if args.export is not None:
        return _export(args, store)
    from bascule.board.serve import serve

    def opened(url: str) -> None:
        print(f"board: {url}", flush=True)
        print("Ctrl-C closes it; runs that it started stop then, too.", file=sys.stderr)
        if args.open:
            import webbrowser

            webbrowser.open(url)

    serve(store, args.host, args.port, opened)
    return 0


def _export(args: argparse.Namespace, store: Store) -> int:
    """Write a static site."""
    from bascule.board.export.site import check_folder, export
    from bascule.cli.experiment import interrupted, open_page

    if not args.run and not args.stories:
        raise UserError("--export: name the runs of the site, or give --stories")
    check_folder(args.export)
    runs = list({run.id: run for run in map(store.find, args.run)}.values())
    for run in runs:
        run.check()
        if told := _own_pictures(run):
            print(told, file=sys.stderr)
    stories = _trained(store) if args.stories else {}
    if stories is None:
        return interrupted()
    page = export(store, args.export, runs, stories, lambda line: print(line, file=sys.stderr))
    print(f"site: {page}")
    if args.open:
        open_page(page)
    return 0


def _own_pictures(run: Run) -> str:
    """A line about pictures that may not be free to publish; "" for built-in ones."""
    from bascule.data.imported import Imported

    data = run.recipe.data
    if not isinstance(data, Imported):
        return ""
    return (
        f"{run.name} was trained on {data}: what D judged is left out, but what G draws may "
        "resemble these images; publish it only if you may publish them"
    )


def _trained(store: Store) -> dict[str, Run] | None:
    """The runs of the stories by arm, trained where they are missing; None: interrupted."""
    from bascule.board.export.stories import experiment
    from bascule.cli.experiment import train_all
    from bascule.experiments.schedule import plan

    found = experiment()
    jobs, data = plan(found, found.seeds), next(iter(found.arms.values())).data
    if not train_all(found, jobs, {data: data.load()}, store):
        return None
    for job in jobs:
        if job.run is None or job.state != "finished":
            raise UserError(f"the game “{job.arm}” of the stories failed: {job.message}")
    return {job.arm: job.run for job in jobs if job.run}
