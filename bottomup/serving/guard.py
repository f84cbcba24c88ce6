"""What stands in front of the page: only this machine's browser, and only our own page, may ask."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

__all__ = ["App", "Guard", "reply"]

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
#: An ASGI application.
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: On every answer.
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """An ASGI application in front of another: refuses other hosts' names and other sites' requests.

    A site elsewhere can have a browser send requests to 127.0.0.1, under the site's own name if its DNS entry changes
    to that address. Such requests carry the site's name as host or as origin.

    Parameters
    ----------
    app : ASGI application
        Gets the requests that pass.
    port : int
        The port that the names in the Host and Origin headers must have.
    """

    def __init__(self, app: App, port: int) -> None:
        self._app = app
        ending = "" if port == 80 else f":{port}"
        self._hosts = {f"{name}{ending}".encode() for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        problem = self._problem(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        if problem:
            await reply(send_with_headers, 403, problem)
        else:
            await self._app(scope, receive, send_with_headers)

    def _problem(self, scope: Message) -> str:
        """Return why a request is refused; "" if it is not."""
        hosts = [value.lower() for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            expected = " or ".join(sorted(host.decode() for host in self._hosts))
            return f"this page answers under its own name only: open http://{expected.replace(' or ', ' or http://')}"
        if scope["method"] in ("GET", "HEAD"):
            return ""
        origins = [value.lower() for name, value in scope["headers"] if name == b"origin"]
        sites = [value.lower() for name, value in scope["headers"] if name == b"sec-fetch-site"]
        is_own = all(origin == b"http://" + hosts[0] for origin in origins)
        if not is_own or any(site not in (b"same-origin", b"none") for site in sites):
            return "only the page itself may send photos, another site may not"
        return ""


async def reply(send: Send, status: int, problem: str) -> None:
    """Answer with one line of plain text."""
    content = f"{problem}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
