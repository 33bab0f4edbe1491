"""Interleave transactions of different threads on one connection to share round trips.

Each function runs in a greenlet, so that it stays a plain function: reading a result that has not arrived
switches to the next function. https://greenlet.readthedocs.io
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenlet import getcurrent, greenlet


def interleave(functions: Sequence[Callable[[], None]], receive: Callable[[], None]) -> None:
    """Run functions to their ends; when all of them wait, `receive` is called once.

    Args:
        functions: the functions, started in this order; each may call `switch`.
        receive: receives every result that any of them waits for.

    Raises:
        BaseException: raised by `receive` or by one of the functions; the others are ended where they wait.
    """
    running = [greenlet(function) for function in functions]
    try:
        while running:
            for one in running:
                one.switch()
            running = [one for one in running if not one.dead]
            if running:
                receive()
    finally:
        for one in running:
            if not one.dead:
                one.throw()


def switch() -> bool:
    """Let the other functions run until `receive` has been called; False if there are no others."""
    parent = getcurrent().parent
    if parent is None:
        return False
    parent.switch()
    return True
