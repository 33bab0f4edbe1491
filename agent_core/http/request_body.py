"""The body of a request: read piece by piece, no longer than allowed and no slower than a client at work sends it."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

PIECE_TIMEOUT = 30.0
"""Seconds that a body may rest: a server has room for so many requests at once, and a silent one keeps its room."""


async def read_body(request: Request, most: int) -> bytes:
    """Return the body.

    Raises:
        HTTPException: 413, it is longer than `most` bytes, or says that it will be; 408, nothing of it came
            for `PIECE_TIMEOUT` seconds; 400, the client left.
    """
    too_long = HTTPException(413, f"The body is longer than {most:,} bytes.")
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > most):
        raise too_long
    whole = bytearray()
    pieces = aiter(request.stream())
    try:
        while (piece := await asyncio.wait_for(anext(pieces, None), PIECE_TIMEOUT)) is not None:
            whole += piece
            if len(whole) > most:
                raise too_long
    except TimeoutError:
        raise HTTPException(408, f"Nothing of the body came for {PIECE_TIMEOUT:.0f} seconds.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The client left before its body had come.") from None
    return bytes(whole)
