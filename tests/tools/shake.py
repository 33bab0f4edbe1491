"""Make this process slow where a busy machine would be, so that a test that hopes for the best fails.

    SHAKE=7 SHAKE_TIMES=20 python -m pytest -p tests.tools.shake tests/agent_core/api/test_stops.py

`SHAKE` chooses the dice, `SHAKE_TIMES` how often each test runs. What is done here changes nobody's order,
only the time: transactions wait before they begin and once they are through, work begins and ends late, and
what another thread tells the event loop comes late. Any machine that has something else to do does the same.
(The tests of the workpool itself count turns of an event loop, and do not hold here.)
"""

from __future__ import annotations

import asyncio
import os
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.store.database.writer import Writer
from agent_core.worker import workpool

_dice = random.Random(os.environ.get("SHAKE", "1"))
_TIMES = int(os.environ.get("SHAKE_TIMES", "1"))
_RARELY, _SOMETIMES = 0.03, 0.25


def pause() -> float:
    """Return by how many seconds something comes late: mostly none, sometimes hundredths, rarely a third."""
    die = _dice.random()
    if die < _RARELY:
        return _dice.uniform(0.1, 0.35)
    return _dice.uniform(0.001, 0.03) if die < _SOMETIMES else 0.0


def _late(function: Callable[..., Any]) -> Callable[..., Any]:
    def late(*args: Any, **kwargs: Any) -> Any:
        time.sleep(pause())
        return function(*args, **kwargs)

    return late


class _Post:
    """Hands over to one event loop what other threads tell it: in order, and late."""

    def __init__(self, tell: Callable[..., Any]) -> None:
        self._tell = tell
        self._letters: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._deliver, daemon=True).start()

    def __call__(self, *letter: Any, **options: Any) -> None:
        self._letters.put((letter, options))

    def _deliver(self) -> None:
        while True:
            letter, options = self._letters.get()
            time.sleep(pause())
            try:
                self._tell(*letter, **options)
            except RuntimeError:  # the loop has closed
                return


_new_loop = asyncio.SelectorEventLoop.__init__
_ran = workpool._run  # pyright: ignore[reportPrivateUsage]


def _make_loop(self: Any, *args: Any, **kwargs: Any) -> None:
    _new_loop(self, *args, **kwargs)
    self.call_soon_threadsafe = _Post(self.call_soon_threadsafe)


async def _run(key: WakeUpKey, handler: Any) -> None:
    await asyncio.sleep(pause())
    await _ran(key, handler)
    await asyncio.sleep(pause())


def pytest_configure() -> None:
    """Begin."""
    Writer._commit = _late(Writer._commit)  # type: ignore[method-assign]
    Writer._deliver = _late(Writer._deliver)  # type: ignore[method-assign]
    asyncio.SelectorEventLoop.__init__ = _make_loop  # type: ignore[method-assign]
    workpool._run = _run


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test several times."""
    if _TIMES > 1:
        metafunc.fixturenames.append("shaken")
        metafunc.parametrize("shaken", range(_TIMES))
