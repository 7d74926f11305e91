"""Who may ask the board: the token, the host and the origin of every request.

Any page in any browser tab can send requests to this machine, and a name that its owner points to
127.0.0.1 (DNS rebinding) makes the board look like a site of that owner. So:

- the host must be localhost, an address, or the name that was given; other names are refused;
- the origin, if the browser tells one, must be the board itself; a POST must tell it;
- the token of the opened URL is needed once, then a cookie that no script can read and that
  browsers send from the board's own pages alone.

Answers forbid everything that does not come from the board itself (Content-Security-Policy).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from secrets import compare_digest
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READING = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass
class Guard:
    """ASGI middleware around the whole application.

    token   what the opened URL must contain
    host    the name or address on which the board listens
    port    part of the cookie's name, because all ports of a host share their cookies
    """

    app: ASGIApp
    token: str
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def cookie(self) -> str:
        return f"bascule-board-{self.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no WebSockets

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    if name == "Content-Security-Policy":
                        headers.setdefault(name, value)  # a page may have a policy of its own
                    else:
                        headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope) or self._entrance(scope) or self.app
        await answer(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._knows(hosts[0]):
            return PlainTextResponse("This host name is not the board's.", 403)
        origins = headers.getlist("origin")
        if any(origin != f"{scope['scheme']}://{hosts[0]}" for origin in origins):
            return PlainTextResponse("Another site asked; only the board's own pages may.", 403)
        if scope["method"] not in READING and not origins:
            return PlainTextResponse("A change needs the header Origin.", 403)
        return None

    def _knows(self, host: str) -> bool:
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        name = name.strip("[]").lower()
        return name in ("localhost", self.host.lower()) or _is_address(name)

    def _entrance(self, scope: Scope) -> Response | None:
        """None for a known visitor; otherwise the cookie for the right token, or a refusal."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        if given is not None and scope["method"] in READING and self._is_token(given):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            away = RedirectResponse(_inside(scope["path"]) + (f"?{rest}" if rest else ""), 303)
            away.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
            return away
        if self._is_token(self._kept(Headers(scope=scope))):
            return None
        told = "Open the board by the whole address that `bascule board` printed, with its token."
        return PlainTextResponse(told, 403)

    def _kept(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    def _is_token(self, text: str) -> bool:
        return compare_digest(text.encode(), self.token.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _inside(path: str) -> str:
    """``path`` as a place on this host: ``//elsewhere`` would be another one."""
    return "/" + path.lstrip("/\\")
