"""Server-sent events: a page asks once and is told what is new, until it closes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from bascule.core.errors import UserError

if TYPE_CHECKING:
    from bascule.board.board import Board

EVERY_S = 0.5  # between two looks at the files
ALIVE_S = 15.0  # between two signs of life where nothing is new


class Event(NamedTuple):
    """``data``: JSON. ``cursor``: what a browser says when it connects again after a break."""

    data: dict[str, Any]
    cursor: str = ""


def stream(
    board: Board, look: Callable[[], Event | None], every_s: float = EVERY_S
) -> StreamingResponse:
    """Send what ``look`` finds, called every ``every_s`` seconds in a thread; None: nothing new.

    A :class:`UserError` is sent as ``{"error": ...}``, once for each different one.
    """

    async def events() -> AsyncIterator[str]:
        told_at, complaint = time.monotonic(), ""
        yield "retry: 1000\n\n"
        while not board.closing:
            try:
                event = await run_in_threadpool(look)
                complaint = complaint if event is None else ""
            except UserError as refusal:
                event = Event({"error": str(refusal)}) if str(refusal) != complaint else None
                complaint = str(refusal)
            if event:
                yield _written(event)
                told_at = time.monotonic()
                board.warm_up_soon()
            elif time.monotonic() - told_at > ALIVE_S:
                yield ": nothing new\n\n"
                told_at = time.monotonic()
            await asyncio.sleep(every_s)

    return StreamingResponse(events(), media_type="text/event-stream")


def _written(event: Event) -> str:
    data = json.dumps(event.data, separators=(",", ":"), allow_nan=False)
    named = f"id: {event.cursor}\n" if event.cursor else ""
    return f"{named}data: {data}\n\n"
