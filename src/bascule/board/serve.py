"""Serve a board until it is interrupted."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from bascule.board.app import application, new_token
from bascule.board.board import Board
from bascule.core.errors import UserError
from bascule.runs.store import Store


def serve(store: Store, host: str, port: int, opened: Callable[[str], None]) -> None:
    """Listen on ``host`` and ``port`` (0: any free one) until SIGINT or SIGTERM.

    ``opened`` is called with the whole URL as soon as the board answers there.
    """
    listening = _socket(host, port)
    port = listening.getsockname()[1]
    board, token = Board(store), new_token()
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}/?token={token}"
    config = uvicorn.Config(
        application(board, token, host, port),
        log_level="warning",
        access_log=False,  # it would show the token
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = _Server(config, board, lambda: opened(url))
    try:
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        for name in board.close():
            print(f"stopped at a checkpoint: go on with `bascule resume {name}`", file=sys.stderr)


class _Server(uvicorn.Server):
    """Tells when it answers, and ends streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, board: Board, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.board, self.ready = board, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.board.closing = True
        await super().shutdown(sockets)


def _socket(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, kind, protocol)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(
            f"cannot listen on {host} port {port}: {reason}; give another --port, or 0 for any"
        ) from None
    return found
