"""Raw HTTP requests, with headers that no client library would send."""

from __future__ import annotations

import socket

UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
PATIENCE = 20.0  # seconds until a wait fails; no passing test takes so long


def request(port: int, line: str, *headers: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Send a request line and headers unchanged; return status, headers and the received part of the body."""
    length = [f"Content-Length: {len(body)}"] if body else []
    head = "\r\n".join([f"{line} HTTP/1.1", *headers, *length, "", ""]).encode("latin-1")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(head + body)
        return _answer(connection)


def _answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with connection.makefile("rb") as incoming:
        status = int(incoming.readline().split()[1])
        headers: dict[str, str] = {}
        while (line := incoming.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return status, headers, incoming.read(int(headers.get("content-length", 0)))
