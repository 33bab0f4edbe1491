"""Server-sent events, decoded as their bytes arrive.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations


class EventStream:
    """Turns pieces of a response into the data of its events.

    Only `data` is kept: no provider of chat completions says anything in the other fields that its
    data does not say. An event that the end of the stream cuts off is dropped, as the standard has it.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that `piece` completes."""
        lines = (self._rest + piece).splitlines(keepends=True)
        self._rest = b""
        if lines and not lines[-1].endswith(b"\n"):
            self._rest = lines.pop()  # half a line; or one whose \r may have its \n in the next piece
        whole: list[bytes] = []
        for line in lines:
            line = line.rstrip(b"\r\n")
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                whole.append(b"\n".join(self._data))
                self._data = []
        return whole
