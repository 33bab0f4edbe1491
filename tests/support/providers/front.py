"""A proxy in front of a fake provider that refuses what a strict provider would."""

from __future__ import annotations

import contextlib
import socket
from typing import BinaryIO
from urllib.parse import urlsplit

from tests.support.providers.pairing import complaint, refusal
from tests.support.servers.proxy import Proxy


class Front(Proxy):
    """Pass requests on, but answer 400 where calls and outcomes are not paired.

    Args:
        url: address of the provider.

    Attributes:
        url: address of this proxy.
        violations: the reason of each refusal.
    """

    def __init__(self, url: str) -> None:
        port = urlsplit(url).port
        assert port is not None
        super().__init__(port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.violations: list[str] = []

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        if answers:
            super()._pass(source, target, answers)
            return
        with contextlib.suppress(OSError), source, target, source.makefile("rb") as incoming:
            while head := _head(incoming):
                body = incoming.read(_length(head))
                sentence = complaint(head[0].split()[1].decode(), body)
                if sentence is not None:
                    self._refuse(source, sentence)
                    break
                target.sendall(b"".join(head) + body)
            target.shutdown(socket.SHUT_RDWR)

    def _refuse(self, client: socket.socket, sentence: str) -> None:
        self.violations.append(sentence)
        body = refusal(sentence)
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        client.sendall(f"{head}\r\nconnection: close\r\n\r\n".encode() + body)


def _head(incoming: BinaryIO) -> list[bytes]:
    """Return the lines of a request up to and including the empty one; [] at the end of input."""
    lines: list[bytes] = []
    while line := incoming.readline():
        lines.append(line)
        if line == b"\r\n":
            return lines
    return []


def _length(head: list[bytes]) -> int:
    named = (line.lower().partition(b":") for line in head)
    return next((int(value) for name, _, value in named if name == b"content-length"), 0)
