"""Suspects: what ran in a process that died, and how it may run again. Pure functions.

A death names no culprit. Everything that ran becomes suspect and may run again only in smaller company:
half of those that died together, then half of that, until one dies alone. Only that one is charged, and by
its own code: a step that merely waited for its provider when the process ended has hardly ended it.
See docs/decisions/0013-what-died-alone.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from agent_core.domain.wake_up_key import WakeUpKey

FREE_CRASHES: Final = 1
"""Charges that delay nothing: after one death the work goes on as soon as its process is up."""

IDLE_DEATHS: Final = 4
"""Deaths during which a lone suspect merely waited that make one charge: few poisons kill from elsewhere."""

MAX_PROBATION: Final = 60.0
"""The longest time that a worker must have lived before a charged suspect runs in it, in seconds."""


class Suspicion(NamedTuple):
    """Suspicion against one step or tool call.

    company: how many suspects may run at once in a process that runs this one, itself included.
    crashes: how often it was charged, because it was the only suspect that ran.
    death: the worker in whose death it was last.
    idle_deaths: deaths as the only suspect, but while it merely waited, since the last charge.
    """

    company: int
    crashes: int
    death: str
    idle_deaths: int = 0


class Ran(NamedTuple):
    """Work that ran when its process died.

    company: as `Suspicion`; None while it was no suspect.
    executed: its own code ran in that moment, or nobody can say; else it waited for something.
    """

    key: WakeUpKey
    company: int | None
    crashes: int
    idle_deaths: int = 0
    executed: bool = True


class Suspect(NamedTuple):
    """A suspect's wake-up; `worker` is None while nobody holds it."""

    key: WakeUpKey
    company: int
    crashes: int
    worker: str | None
    due: float


def judged(ran: Collection[Ran], death: str) -> dict[WakeUpKey, Suspicion]:
    """Return what is held against each of those that ran when the worker `death` died.

    Suspects halve their company. Fresh work beside them becomes suspect, too, and excuses nobody: the one
    suspect among it is charged, or a poison on a busy worker would never be found. A suspect that was not
    isolated yet (its company had completed before it) is isolated first.

    One that merely waited is charged for each `IDLE_DEATHS` deaths only. Whoever kills a process from
    outside meets a step that waits, for that is what it does nearly all of the time.
    """
    suspects = [work for work in ran if work.company is not None]
    alone = ran if len(ran) == 1 else suspects if [work.company for work in suspects] == [1] else ()
    charged = {work.key for work in alone}
    found: dict[WakeUpKey, Suspicion] = {}
    for work in ran:
        company = _half(len(ran)) if work.company is None else min(work.company, _half(len(suspects)))
        crashes, idle = _charge(work) if work.key in charged else (work.crashes, work.idle_deaths)
        found[work.key] = Suspicion(company, crashes, death, idle)
    return found


def _charge(work: Ran) -> tuple[int, int]:
    """Return the charges and the idle deaths of one that died alone."""
    if work.executed:
        return work.crashes + 1, work.idle_deaths
    more, idle = divmod(work.idle_deaths + 1, IDLE_DEATHS)
    return work.crashes + more, idle


def _half(count: int) -> int:
    return max(1, count // 2)


class Admission:
    """Decide which suspects a worker may begin.

    Args:
        max_crashes: with so many charges it is sealed, not run, so it waits for nobody.
        probation: seconds that a worker must have lived before it runs one that was charged twice; each
            further charge doubles them. So a series of quick deaths, whatever its cause, charges nobody
            to the end.
    """

    def __init__(self, max_crashes: int, probation: float) -> None:
        self._max_crashes = max_crashes
        self._probation = probation

    def of(
        self, held: Iterable[Suspect], waiting: Iterable[Suspect], room: Mapping[str, int], lived: float
    ) -> list[WakeUpKey]:
        """Return the keys of those to begin beside what is `held`.

        The largest company first, for it clears most at a time; then those with the fewest charges, so that
        a new suspect is tried before one that has died beside it; then the one that died last.

        Args:
            held: the suspects that run here, or are about to.
            waiting: those that are due and held by nobody.
            room: places by "step" and "tool", or "work" for both.
            lived: seconds that this worker has lived.
        """
        company = [suspect.company for suspect in held if not self._is_sealed(suspect)]
        left, keys = dict(room), list[WakeUpKey]()
        for suspect in sorted(waiting, key=lambda one: (-one.company, one.crashes, -one.due, one.key)):
            kind = "work" if "work" in left else suspect.key.kind
            if left.get(kind, 0) <= 0:
                continue
            if not self._is_sealed(suspect):
                fits = len(company) < min([suspect.company, *company])
                if not fits or lived < self._wait(suspect.crashes):
                    continue
                company.append(suspect.company)
            left[kind] -= 1
            keys.append(suspect.key)
        return keys

    def _is_sealed(self, suspect: Suspect) -> bool:
        return suspect.crashes >= self._max_crashes

    def _wait(self, crashes: int) -> float:
        if crashes <= FREE_CRASHES:
            return 0.0
        doublings = min(crashes - FREE_CRASHES - 1, 16)  # far beyond the ceiling, and no overflow
        return min(self._probation * 2**doublings, MAX_PROBATION)
