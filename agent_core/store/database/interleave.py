"""Functions that wait together: while one waits for an answer, the next one asks its own question.

Each runs in a greenlet, because they are plain functions that know nothing of it: what looks at an
answer that is not there yet steps aside, and goes on when it has come.
https://greenlet.readthedocs.io
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenlet import getcurrent, greenlet


def run_together(functions: Sequence[Callable[[], None]], receive: Callable[[], None]) -> None:
    """Run functions to their ends; between two of their waits `receive` is called once for all.

    Args:
        functions: what to run. They begin in this order; each may call `step_aside`.
        receive: brings every answer that any of them waits for.

    Raises:
        BaseException: what `receive` or one of the functions raised; the others are ended where they wait.
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


def step_aside() -> bool:
    """Let the other functions go on until `receive` has been called; False: there are no others."""
    parent = getcurrent().parent
    if parent is None:
        return False
    parent.switch()
    return True
