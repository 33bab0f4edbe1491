"""Receive the signals that ask a process to end, on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import signal
import threading
from collections.abc import Generator, Iterable

ENDING = (signal.SIGTERM, signal.SIGINT)
"""The signals by which service managers and people ask a process to end."""


@contextlib.contextmanager
def received(which: Iterable[signal.Signals] = ENDING) -> Generator[asyncio.Queue[str]]:
    """Yield a queue that gets the name of each of these signals, in place of the signal's usual effect.

    Only the main thread receives signals; in another one the queue stays empty.
    """
    loop, names = asyncio.get_running_loop(), asyncio.Queue[str]()
    main = threading.current_thread() is threading.main_thread()
    before = {each: signal.getsignal(each) for each in which} if main else {}

    def receive(number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(names.put_nowait, signal.Signals(number).name)

    for each in before:
        try:
            loop.add_signal_handler(each, functools.partial(names.put_nowait, each.name))
        except NotImplementedError:  # Windows
            signal.signal(each, receive)
    try:
        yield names
    finally:
        for each, handler in before.items():
            with contextlib.suppress(NotImplementedError):
                loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
