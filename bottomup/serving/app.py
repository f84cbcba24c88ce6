"""What the server answers: the page, the list of models, and the people in a photo. Nothing comes from the disk."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from bottomup.errors import BottomupError
from bottomup.serving.guard import App, Guard
from bottomup.serving.networks import Networks

__all__ = ["MAX_UPLOAD", "make_app"]

#: Bytes of a photo.
MAX_UPLOAD = 32_000_000

_MOST_WAITING = 4  # requests for one network, the one at work included
_SECONDS_TO_SEND = 60
_FOLDER = Path(__file__).parent
_PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}


class _Refused(Exception):
    """A request that is answered with a status and one line."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status


def make_app(networks: Networks, *, port: int, max_upload: int = MAX_UPLOAD) -> App:
    """Return the ASGI application.

    Parameters
    ----------
    networks : Networks
        Those that the page offers.
    port : int
        Where it is served; requests must name it.
    max_upload : int
        Most bytes of a photo.
    """
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    waiting: Counter[str] = Counter()
    turns: dict[str, asyncio.Lock] = {}

    async def list_models(_: Request) -> Response:
        return JSONResponse({"models": networks.offers(), "first": networks.first, "max_upload": max_upload})

    async def find_people(request: Request) -> Response:
        try:
            return JSONResponse(await found(request))
        except _Refused as refusal:
            return refuse(refusal.status, refusal)
        except BottomupError as error:
            return refuse(400, error)
        except MemoryError:
            return refuse(400, "out of memory: the photo is too large for this machine")
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return refuse(500, f"a defect, please report it: {type(error).__name__}: {error}")

    async def found(request: Request) -> dict[str, Any]:
        wish = networks.wish(request.query_params)
        if waiting[wish.model] >= _MOST_WAITING:
            raise _Refused(503, f"{wish.model} is busy: try again")
        waiting[wish.model] += 1
        try:
            content = await body(request)
            async with turns.setdefault(wish.model, asyncio.Lock()):
                answer: dict[str, Any] = await run_in_threadpool(networks.answer, wish, content)
                return answer
        finally:
            waiting[wish.model] -= 1

    async def body(request: Request) -> bytes:
        """Return what was sent, of which no more than the limit is ever read."""
        too_much = _Refused(413, f"the photo has more than {max_upload / 1e6:g} MB: make it smaller")
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > max_upload:
            raise too_much
        content = bytearray()

        async def read() -> None:
            async for piece in request.stream():
                content.extend(piece)
                if len(content) > max_upload:
                    raise too_much

        try:
            await asyncio.wait_for(read(), _SECONDS_TO_SEND)
        except asyncio.TimeoutError:  # in Python 3.10 not the built-in one
            raise _Refused(408, f"the photo did not arrive within {_SECONDS_TO_SEND} seconds") from None
        return bytes(content)

    def refuse(status: int, problem: object) -> Response:
        return JSONResponse({"error": " ".join(str(problem).split())}, status)

    def page(name: str, kind: str) -> Any:
        content = (_FOLDER / name).read_bytes()

        async def send_page(_: Request) -> Response:
            return Response(content, media_type=kind)

        return send_page

    routes = [Route(path, page(*file), methods=["GET"]) for path, file in _PAGE.items()]
    routes += [Route("/models", list_models, methods=["GET"]), Route("/poses", find_people, methods=["POST"])]
    return Guard(Starlette(routes=routes), port)
