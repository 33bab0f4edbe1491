"""A TCP proxy on loopback that loses answers or whole connections on purpose."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Pass all traffic on to a port of this machine, except for the losses that a test requests.

    Args:
        port: the port of the server.
        host: the loopback address of the proxy.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.to = port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listening = socket.create_server((host, 0), family=family)
        self.port: int = self._listening.getsockname()[1]
        self.deaf = threading.Event()
        """While set, the server's answers are lost."""
        self.refusing = threading.Event()
        """While set, new connections are closed at once."""
        self._silent: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every open connection; later ones pass."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        self._silent.clear()

    def silence(self) -> None:
        """Lose all traffic of the open connections, which stay open; later ones pass."""
        self._silent.update(self._open)

    def close(self) -> None:
        """Stop listening, and end every connection."""
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                try:
                    if self.refusing.is_set():
                        raise ConnectionRefusedError
                    server = socket.create_connection(("127.0.0.1", self.to))
                except ConnectionError:
                    client.close()
                    continue
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open += [client, server]
                for pair in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not (answers and self.deaf.is_set()) and source not in self._silent:
                    target.sendall(data)
        for end in (
            source,
            target,
        ):  # closing alone would not end the other thread's wait, nor the connection
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()
