"""The verb board: the runs folder in a browser."""

from __future__ import annotations

import argparse
import sys

from bascule.cli.verbs import Verbs
from bascule.core.errors import UserError


def add(verbs: Verbs) -> None:
    """Add the verb of this file to the command line."""
    board = verbs.add_parser(
        "board",
        help="look at runs in a browser while they train",
        description="Serve a web page over the runs folder, on this machine alone, until Ctrl-C.",
        examples=["bascule board --open", "bascule board --port 8765"],
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
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise UserError(
            'the board needs starlette and uvicorn: pip install "bascule[board]"'
        ) from None
    from bascule.board.serve import serve

    def opened(url: str) -> None:
        print(f"board: {url}", flush=True)
        print("Ctrl-C closes it; runs that it started stop then, too.", file=sys.stderr)
        if args.open:
            import webbrowser

            webbrowser.open(url)

    serve(Store(args.runs), args.host, args.port, opened)
    return 0
