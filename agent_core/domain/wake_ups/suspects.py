"""Isolate work that may have crashed its process. Pure functions.

A crash does not say which work caused it. All work of the process becomes suspect. If it crashes again, it runs in
groups of half the size, until one suspect crashes a process alone. Only that one is charged, and only if its own
code was executing: a step that was waiting for its provider is an unlikely cause.

Most crashes come from outside, so suspects that crashed once run together, and those that crashed two or three times
keep others waiting for a few seconds only.
See docs/decisions/0013-what-died-alone.md and 0030-tests-that-end.md.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from agent_core.domain.wake_ups.wake_up_key import WakeUpKey

_FREE_CRASHES: Final = 1
"""Number of charges without a delay: after one crash the work resumes as soon as a process is up."""

IDLE_DEATHS: Final = 4
"""Number of crashes during which a lone suspect only waited that count as one charge."""

_TEST_TIMES: Final = (0.0, 2.0, 4.0)
"""Seconds for which a suspect is tested: it runs in its company only. By the number of its crashes in a row; after more
of them the test lasts until it completes."""

MAX_PROBATION: Final = 60.0
"""Maximum uptime in seconds that a worker needs before a charged suspect runs in it."""


class Suspicion(NamedTuple):
    """Suspicion against one step or tool call.

    company: maximum number of suspects in a process that runs this one, including itself.
    crashes: number of charges, one for each crash as the only suspect.
    death: the worker of its last crash.
    idle_deaths: crashes as the only suspect, while it only waited, since the last charge.
    deaths: number of its crashes.
    """

    company: int
    crashes: int
    death: str
    idle_deaths: int = 0
    deaths: int = 0


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
    deaths: int = 0


class Suspect(NamedTuple):
    """Wake-up of a suspect; `worker` is None without a lease.

    ran: seconds for which it has run in this process.
    """

    key: WakeUpKey
    company: int
    crashes: int
    worker: str | None
    due: float
    deaths: int
    ran: float = 0.0

    @property
    def test_time(self) -> float:
        """Seconds for which it runs in its company only."""
        is_weak = not self.crashes and self.deaths <= len(_TEST_TIMES)
        return _TEST_TIMES[max(self.deaths, 1) - 1] if is_weak else math.inf


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
        found[work.key] = Suspicion(company, crashes, death, idle, work.deaths + 1)
    return found


def _charge(work: CrashedWork) -> tuple[int, int]:
    """Return the charges and idle deaths of a lone suspect."""
    charged = work.crashes + 1
    return (charged, work.idle_deaths) if work.executed else take_back(charged, work.idle_deaths)


def take_back(crashes: int, idle_deaths: int) -> tuple[int, int]:
    """Return charges and idle deaths once it is known that the work only waited when it was charged last."""
    more, idle = divmod(idle_deaths + 1, IDLE_DEATHS)
    return crashes - 1 + more, idle


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

        The fewest charges come first, so that a new suspect is tried before one that crashed beside it; then those
        that have waited longest; then the largest company, because it clears most suspects at a time.

        Args:
            held: suspects that this worker runs, or is about to.
            waiting: suspects that are due, without a lease.
            room: free places by "step" and "tool", or "work" for both.
            lived: uptime of this worker in seconds.
        """
        beside = [suspect for suspect in held if not self._is_sealed(suspect)]
        left, keys = dict(room), list[WakeUpKey]()
        for suspect in sorted(waiting, key=lambda one: (one.crashes, one.due, -one.company, one.key)):
            kind = "work" if "work" in left else suspect.key.kind
            if left.get(kind, 0) <= 0:
                continue
            if not self._is_sealed(suspect):
                if lived < self._wait(suspect.crashes) or not _fits(suspect, beside):
                    continue
                beside.append(suspect)
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


def _fits(suspect: Suspect, beside: Sequence[Suspect]) -> bool:
    """Whether a suspect may start beside others that run.

    One whose test ends waits for the tests of the others, and one that is tested until it completes for all others.
    """
    if suspect.test_time < math.inf:
        beside = [one for one in beside if one.ran < one.test_time]
    limits = [one.company for one in beside]
    if suspect.test_time:
        limits.append(suspect.company)
    return len(beside) < min(limits, default=math.inf)
