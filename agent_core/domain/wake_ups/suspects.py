"""Isolate work that may have crashed its process. Pure functions.

A crash does not say which work caused it. All work of the process becomes suspect and runs again in groups of
half the size, until one suspect crashes a process alone. Only that one is charged, and only if its own code
was executing: a step that was waiting for its provider is an unlikely cause.
See docs/decisions/0013-what-died-alone.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from agent_core.domain.wake_ups.wake_up_key import WakeUpKey

_FREE_CRASHES: Final = 1
"""Number of charges without a delay: after one crash the work resumes as soon as a process is up."""

IDLE_DEATHS: Final = 4
"""Number of crashes during which a lone suspect only waited that count as one charge."""

MAX_PROBATION: Final = 60.0
"""Maximum uptime in seconds that a worker needs before a charged suspect runs in it."""


class Suspicion(NamedTuple):
    """Suspicion against one step or tool call.

    company: maximum number of suspects in a process that runs this one, including itself.
    crashes: number of charges, one for each crash as the only suspect.
    death: the worker of its last crash.
    idle_deaths: crashes as the only suspect, while it only waited, since the last charge.
    """

    company: int
    crashes: int
    death: str
    idle_deaths: int = 0


class CrashedWork(NamedTuple):
    """Work that ran when its process died.

    company: as in `Suspicion`; None if it was not a suspect.
    executed: whether its own code was executing, also True if unknown; False: it was waiting.
    """

    key: WakeUpKey
    company: int | None
    crashes: int
    idle_deaths: int = 0
    executed: bool = True


class Suspect(NamedTuple):
    """Wake-up of a suspect; `worker` is None without a lease."""

    key: WakeUpKey
    company: int
    crashes: int
    worker: str | None
    due: float


def suspicions_after(ran: Collection[CrashedWork], death: str) -> dict[WakeUpKey, Suspicion]:
    """Return the suspicions against all work that ran when the worker `death` died.

    Suspects halve their company. Other work beside them becomes suspect, too, but does not clear them: a lone
    suspect among it is charged, or poisoned work on a busy worker would never be found. A suspect that was not
    isolated yet (its company had completed before it) is isolated first.

    A suspect that only waited is charged once per `IDLE_DEATHS` crashes. Steps wait nearly all of the time, so
    a process that is killed from outside usually dies while its steps wait.
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


def _charge(work: CrashedWork) -> tuple[int, int]:
    """Return the charges and idle deaths of a lone suspect."""
    if work.executed:
        return work.crashes + 1, work.idle_deaths
    more, idle = divmod(work.idle_deaths + 1, IDLE_DEATHS)
    return work.crashes + more, idle


def _half(count: int) -> int:
    return max(1, count // 2)


class Admission:
    """Policy that decides which suspects a worker may start.

    Args:
        max_crashes: number of charges at which a suspect is sealed instead of run, so it needs no isolation.
        probation: uptime in seconds that a worker needs before it runs a suspect with two charges; doubled by
            each further charge. So a series of quick crashes from another cause seals nothing.
    """

    def __init__(self, max_crashes: int, probation: float) -> None:
        self._max_crashes = max_crashes
        self._probation = probation

    def of(
        self, held: Iterable[Suspect], waiting: Iterable[Suspect], room: Mapping[str, int], lived: float
    ) -> list[WakeUpKey]:
        """Return the keys of the suspects to start beside `held`.

        The largest company comes first, because it clears most suspects at a time; then the fewest charges, so
        that a new suspect is tried before one that crashed beside it; then the newest crash.

        Args:
            held: suspects that this worker runs, or is about to.
            waiting: suspects that are due, without a lease.
            room: free places by "step" and "tool", or "work" for both.
            lived: uptime of this worker in seconds.
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
        if crashes <= _FREE_CRASHES:
            return 0.0
        doublings = min(crashes - _FREE_CRASHES - 1, 16)  # far beyond the ceiling, and no overflow
        return min(self._probation * 2**doublings, MAX_PROBATION)
