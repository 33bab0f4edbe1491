"""Decode server-sent events as their bytes arrive.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


class EventDecoder:
    """Decoder from pieces of a response to the data of its events.

    Only `data` is kept: no provider uses the other fields, except for older servers of llama.cpp, which
    report an error in the field `error`. As in the standard, an incomplete last event is dropped, unless the
    caller gets the `rest`.
    """

    def __init__(self) -> None:
        self._line: bytes = b""  # an incomplete line
        self._data: list[bytes] = []
        self._begun = False
        self._after_cr = False  # whether a \n belongs to the \r before it

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that `piece` completes."""
        if not piece:
            return []
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        text = self._line + piece
        if not self._begun:
            if _BOM.startswith(text[:3]) and len(text) < 3:
                self._line = text
                return []
            text, self._begun = text.removeprefix(_BOM), True
        self._after_cr = text.endswith(b"\r")
        lines = text.splitlines(keepends=True)
        self._line = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        return [data for line in lines if (data := self._read(line.rstrip(b"\r\n"))) is not None]

    def rest(self) -> bytes:
        """Return the data of the incomplete last event."""
        if self._line:
            self._read(self._line)
            self._line = b""
        data, self._data = b"\n".join(self._data), []
        return data

    def _read(self, line: bytes) -> bytes | None:
        """Read a line, and return the data of the event that it ends."""
        if not line:
            data, self._data = self._data, []
            return b"\n".join(data) if data else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"error" and value.strip().startswith(b"{"):
            self._data.append(b'{"error":' + value + b"}")
        return None
