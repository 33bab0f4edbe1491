"""Suspects: work that kills its process is isolated and sealed, and innocent work is never sealed."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.domain.wake_ups.suspects import (
    IDLE_DEATHS,
    MAX_PROBATION,
    Admission,
    CrashedWork,
    Suspect,
    Suspicion,
    suspicions_after,
)
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, step_key

MAX_CRASHES = 3
FREE_DEATHS = 3
"""Deaths of a poison after which its suspects wait for each other until they complete."""
ROOM = {"work": 64}


def ran(*work: tuple[int | None, int]) -> list[CrashedWork]:
    return [CrashedWork(step_key(f"{number}"), *one) for number, one in enumerate(work)]


def held(*work: tuple[int | None, int]) -> list[tuple[int, int]]:
    """Return (company, crashes) for each piece of work that ran in a process that died."""
    return [(one.company, one.crashes) for one in suspicions_after(ran(*work), "w").values()]


FRESH = (None, 0)


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        ([], []),
        ([FRESH], [(1, 1)]),  # ran alone
        ([FRESH] * 2, [(1, 0)] * 2),
        ([FRESH] * 31, [(15, 0)] * 31),
        ([(15, 0)] * 15, [(7, 0)] * 15),
        ([(3, 0)] * 2, [(1, 0)] * 2),
        ([(3, 0)], [(1, 1)]),  # the rest of its company had completed, so it ran alone
        ([(1, 0)], [(1, 1)]),
        ([(1, 2)], [(1, 3)]),
        ([(1, 0), FRESH, FRESH], [(1, 1), (1, 0), (1, 0)]),  # fresh work does not excuse a suspect
        ([(4, 0), *[FRESH] * 5], [(1, 0), *[(3, 0)] * 5]),  # isolated first, charged later
        ([(4, 0), (4, 1), *[FRESH] * 4], [(1, 0), (1, 1), *[(3, 0)] * 4]),
    ],
)
def test_a_death_is_held_against_what_ran(
    work: list[tuple[int | None, int]], expected: list[tuple[int, int]]
) -> None:
    assert held(*work) == expected


def test_a_step_that_waited_is_charged_once_in_several_deaths() -> None:
    """Work that only waited is charged at every `IDLE_DEATHS`-th death; executing work is charged at once."""
    held = Suspicion(1, 0, "w")
    for death in range(1, 2 * IDLE_DEATHS + 1):
        waited = crashed("0", held, executed=False)
        (held,) = suspicions_after([waited], "w").values()
        assert held.crashes == death // IDLE_DEATHS
    executed = crashed("0", Suspicion(1, 0, "v", IDLE_DEATHS - 1, 6))
    assert suspicions_after([executed], "w")[step_key("0")] == Suspicion(1, 1, "w", IDLE_DEATHS - 1, 7)
    both = [CrashedWork(step_key(f"{n}"), None, 0, executed=False) for n in range(2)]
    assert set(suspicions_after(both, "w").values()) == {Suspicion(1, 0, "w", 0, 1)}


def crashed(key: str, held: Suspicion, executed: bool = True) -> CrashedWork:
    return CrashedWork(step_key(key), held.company, held.crashes, held.idle_deaths, executed, held.deaths)


def suspect(
    key: str, company: int, crashes: int = 0, due: float = 0.0, deaths: int = 9, ran: float = 0.0
) -> Suspect:
    return Suspect(WakeUpKey.parse(key), company, crashes, None, due, deaths, ran)


ADMISSION = Admission(MAX_CRASHES, probation=3.0)


def admitted(
    admission: Admission, held: list[Suspect], waiting: list[Suspect], room: dict[str, int], lived: float
) -> list[str]:
    return [str(key) for key in admission.of(held, waiting, room, lived)]


def test_the_largest_company_begins_and_the_rest_waits() -> None:
    waiting = [*(suspect(f"step:a{n}", 2) for n in range(3)), *(suspect(f"step:b{n}", 4) for n in range(6))]
    assert admitted(ADMISSION, [], waiting, ROOM, 0) == [f"step:b{n}" for n in range(4)]
    running = [suspect("step:b4", 4)]
    assert admitted(ADMISSION, running, waiting[:3], ROOM, 0) == ["step:a0"]
    assert admitted(ADMISSION, [suspect("step:x", 1)], waiting, ROOM, 0) == []
    assert admitted(ADMISSION, [], [suspect("step:x", 1), suspect("tool:y:z", 1)], ROOM, 0) == ["step:x"]


def test_room_is_kept_by_kind() -> None:
    waiting = [*(suspect(f"step:{n}", 9) for n in range(3)), *(suspect(f"tool:{n}:c", 9) for n in range(3))]
    assert admitted(ADMISSION, [], waiting, {"tool": 1, "other": 5}, 0) == ["tool:0:c"]
    assert admitted(ADMISSION, [], waiting, {"tool": 1, "step": 2}, 0) == ["step:0", "step:1", "tool:0:c"]


def test_a_suspect_that_is_to_be_sealed_waits_for_nobody() -> None:
    sealed = [suspect("step:s", 1, MAX_CRASHES)]
    assert admitted(ADMISSION, [suspect("step:x", 1)], sealed, ROOM, 0) == ["step:s"]
    assert admitted(ADMISSION, sealed, [suspect("step:x", 1)], ROOM, 0) == ["step:x"]


@pytest.mark.parametrize(
    ("crashes", "seconds"), [(0, 0), (1, 0), (2, 3), (3, 6), (4, 12), (900, MAX_PROBATION)]
)
def test_charged_work_runs_in_workers_past_their_probation(crashes: int, seconds: float) -> None:
    """The delay keeps a series of quick deaths from sealing innocent work; a single death delays nothing."""
    patient = Admission(1000, probation=3.0)
    waiting = [suspect("step:x", 1, crashes)]
    assert admitted(patient, [], waiting, ROOM, seconds) == ["step:x"]
    assert not seconds or admitted(patient, [], waiting, ROOM, seconds - 0.1) == []


def test_suspects_with_the_fewest_charges_come_first() -> None:
    """Of these the one that has waited longest is first."""
    waiting = [suspect("step:a", 1, 1), suspect("step:b", 1, 0, due=9.0), suspect("step:c", 1, 0, due=5.0)]
    assert admitted(ADMISSION, [], waiting, ROOM, 0) == ["step:c"]


def test_one_death_isolates_nothing() -> None:
    waiting = [suspect(f"step:{n}", 2, deaths=1) for n in range(4)]
    assert len(admitted(ADMISSION, [], waiting, ROOM, 0)) == 4
    assert admitted(ADMISSION, [suspect("step:x", 1)], waiting, ROOM, 0) == [], "beside one that is isolated"
    assert admitted(ADMISSION, waiting, [suspect("step:x", 1)], ROOM, 0) == [], "which waits for them, too"


@pytest.mark.parametrize(("deaths", "seconds"), [(2, 2.0), (3, 4.0)])
def test_suspects_of_few_deaths_wait_for_each_other_for_seconds(deaths: int, seconds: float) -> None:
    """A suspect that has run for some seconds no longer keeps others waiting, unless it died often or alone."""
    waiting = [suspect("step:b", 2, deaths=deaths)]
    for company, ran, others in [(2, 0.0, 1), (1, 0.0, 0), (1, seconds - 0.1, 0), (1, seconds, 1)]:
        tested = [suspect("step:a", company, deaths=deaths, ran=ran)]
        assert len(admitted(ADMISSION, tested, waiting, ROOM, 0)) == others
    assert admitted(ADMISSION, [suspect("step:a", 1, deaths=4, ran=99)], waiting, ROOM, 0) == []
    assert admitted(ADMISSION, [suspect("step:a", 1, 1, deaths=1, ran=99)], waiting, ROOM, 0) == []
    assert (
        admitted(ADMISSION, [suspect("step:a", 1, deaths=3, ran=99)], [suspect("step:b", 1)], ROOM, 0) == []
    )


# --- a model: workers, work that lasts, poison, kills ---


@dataclass
class Work:
    key: WakeUpKey
    seconds: int
    poison: bool
    company: int | None = None
    crashes: int = 0
    death: str = ""
    idle_deaths: int = 0
    deaths: int = 0
    worker: int | None = None
    seen: bool = True  # its own code is running when it kills the process
    due: float = 0.0
    since: int = 0
    state: str = "open"


@dataclass
class Fleet:
    """Model, in ticks, of workers on one database; `agent_core.store.threads.suspects` is the real store."""

    workers: int
    work: list[Work]
    born: list[int] = field(init=False)
    now: int = 0
    deaths: int = 0

    def __post_init__(self) -> None:
        self.born = [0] * self.workers

    def of(self, worker: int) -> list[Work]:
        return [one for one in self.work if one.state == "open" and one.worker == worker]

    def begin(self, worker: int, fresh: int) -> None:
        held = [self.suspect(one) for one in self.of(worker) if one.company]
        waiting = [self.suspect(one) for one in self.work if self.waits(one) and one.company]
        lived = self.now - self.born[worker]
        keys = set(ADMISSION.of(held, waiting, ROOM, lived))
        keys |= {one.key for one in [one for one in self.work if self.waits(one) and not one.company][:fresh]}
        for one in self.work:
            if one.key in keys:
                one.worker, one.since = worker, self.now
                if one.crashes >= MAX_CRASHES:
                    self.seal(one)

    def suspect(self, one: Work) -> Suspect:
        ran = self.now - one.since
        return Suspect(one.key, one.company or 0, one.crashes, str(one.worker), one.due, one.deaths, ran)

    def waits(self, one: Work) -> bool:
        return one.state == "open" and one.worker is None

    def seal(self, sealed: Work) -> None:
        sealed.state = "sealed"
        for one in self.work:
            one.crashes -= one.crashes > 0 and one.state == "open"

    def complete(self, done: Work) -> None:
        done.state = "done"
        if done.company is None:
            return
        for one in self.work:
            if self.waits(one) and one.company and not one.crashes and one.death != done.death:
                one.company += one.company >= done.company
            if done.crashes and one.state == "open":
                one.crashes = one.idle_deaths = 0

    def die(self, worker: int, killer: Work | None = None) -> None:
        self.deaths += 1
        ran = [
            CrashedWork(
                *(one.key, one.company, one.crashes, one.idle_deaths, one is killer and one.seen, one.deaths)
            )
            for one in self.of(worker)
        ]
        found = suspicions_after(ran, f"w{self.deaths}")
        for one in self.of(worker):
            one.company, one.crashes, one.death, one.idle_deaths, one.deaths = found[one.key]
            one.worker, one.due = None, self.now
        self.born[worker] = self.now

    def tick(self, fresh: int) -> None:
        self.now += 1
        for worker in range(self.workers):
            self.begin(worker, fresh)
            over = [one for one in self.of(worker) if self.now - one.since >= one.seconds]
            if poisons := [one for one in over if one.poison]:
                self.die(worker, poisons[0])
            else:
                for one in over:
                    self.complete(one)

    @property
    def open(self) -> list[Work]:
        return [one for one in self.work if one.state == "open"]


poisons = st.sets(st.integers(0, 59), max_size=3)
most_kills = MAX_CRASHES * IDLE_DEATHS - 1
kills = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 2)), max_size=most_kills)


@settings(max_examples=120)
@given(
    count=st.integers(1, 60),
    poison=poisons,
    kills=kills,
    workers=st.integers(1, 3),
    lasts=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    fresh=st.integers(1, 64),
)
def test_innocents_complete_and_poisons_are_sealed(
    count: int,
    poison: set[int],
    kills: list[tuple[int, int]],
    workers: int,
    lasts: list[int],
    fresh: int,
) -> None:
    """This holds despite kills from outside, for fleets of any size and work that arrives at any rate.

    A kill from outside meets waiting work. The poisons here kill by their own code, early or late.
    """
    work = [Work(step_key(f"{n:02}"), lasts[n % len(lasts)], n in poison) for n in range(count)]
    fleet = Fleet(workers, work)
    for pause, victim in kills:
        for _ in range(pause):
            fleet.tick(fresh)
        fleet.die(victim % workers)
    outside = fleet.deaths
    for _ in range(20_000):
        if not fleet.open:
            break
        fleet.tick(fresh)
    guilty = {one.key for one in work if one.poison}
    assert {one.key for one in work if one.state == "sealed"} == guilty
    assert {one.key for one in work if one.state == "done"} == {one.key for one in work} - guilty
    each = math.ceil(math.log2(count + 1)) + MAX_CRASHES + FREE_DEATHS + len(guilty)
    assert fleet.deaths - outside <= len(guilty) * each * 2


@pytest.mark.parametrize("count", [1, 2, 3, 8, 31, 60, 200])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_poison_is_found_in_a_logarithm_of_deaths(count: int, place: float) -> None:
    guilty = round((count - 1) * place)
    work = [Work(step_key(f"{n:03}"), 2, n == guilty) for n in range(count)]
    fleet = Fleet(1, work)
    while fleet.open:
        fleet.tick(1000)
        assert fleet.now < 5_000
    assert [one.key for one in work if one.state == "sealed"] == [step_key(f"{guilty:03}")]
    assert fleet.deaths <= math.ceil(math.log2(count)) + MAX_CRASHES + FREE_DEATHS


@given(seconds=st.integers(1, 30), elsewhere=st.booleans())
def test_a_poison_that_kills_from_elsewhere_is_found_later(seconds: int, elsewhere: bool) -> None:
    """A poison may kill from a thread that it has started, so its own code is not running at that moment."""
    work = Work(step_key("a"), seconds, True, seen=not elsewhere)
    fleet = Fleet(1, [work])
    while fleet.open:
        fleet.tick(1)
        assert fleet.now < 5_000
    assert (work.state, fleet.deaths) == ("sealed", MAX_CRASHES * (IDLE_DEATHS if elsewhere else 1))


def test_the_company_grows_again_after_a_series_of_kills() -> None:
    """After many kills in a row, sixty long steps do not stay limited to running one by one."""
    work = [Work(step_key(f"{n:02}"), 10, False) for n in range(60)]
    fleet = Fleet(1, work)
    for _ in range(60):
        fleet.tick(64)
        fleet.die(0)
    assert {one.company for one in work} <= {1, 2, 3}
    began = fleet.now
    while fleet.open:
        fleet.tick(64)
    assert fleet.now - began < 60 * 10 / 4


def test_isolated_innocent_work_completes_beside_arriving_poisons() -> None:
    """Three poisons arrive one after the other beside long innocent work, which is never sealed for them."""
    innocent = Work(step_key("long"), 50, False, company=1, death="w0")
    fleet = Fleet(1, [innocent])
    for number in range(3):
        for _ in range(5):
            fleet.tick(64)
        fleet.work.append(Work(step_key(f"poison{number}"), 2, True))
        for _ in range(40):
            fleet.tick(64)
    while fleet.open:
        fleet.tick(64)
        assert fleet.now < 5_000
    assert innocent.state == "done"
    assert [one.state for one in fleet.work[1:]] == ["sealed"] * 3


def test_a_suspicion_names_its_death() -> None:
    assert suspicions_after(ran(FRESH), "w7") == {step_key("0"): Suspicion(1, 1, "w7", 0, 1)}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("workers", "count", "seconds", "pause", "deaths"),
    [
        (1, 60, (20, 60), 0, 1),  # one death of a lone worker with long answers
        (1, 40, (20, 60), 6, 3),  # three in a row
        (3, 90, (1, 3), 5, 12),  # one of three workers every five seconds
        (3, 90, (2, 6), 5, 12),
    ],
)
def test_innocent_work_goes_on_within_ten_seconds_of_a_death(
    workers: int, count: int, seconds: tuple[int, int], pause: int, deaths: int, seed: int
) -> None:
    """Ticks are seconds. Each thread goes on with another step as soon as one completes."""
    dice = random.Random(seed)
    lasts = [dice.randint(*seconds) for _ in range(count)]
    fleet = Fleet(workers, [Work(step_key(f"{n:02}"), lasts[n], False) for n in range(count)])
    waits: list[int] = []
    for tick in range(deaths * pause + 90):
        fleet.tick(count // workers)
        if tick % max(1, pause) == 0 and fleet.deaths < deaths:
            fleet.die(dice.randrange(workers))
        waits += [fleet.now - int(one.due) for one in fleet.open if one.worker is None and one.company]
        fleet.work += [
            Work(step_key(f"{len(fleet.work) + n}"), dice.choice(lasts), False)
            for n in range(count - len(fleet.open))
        ]
    assert fleet.deaths == deaths
    assert all(one.state != "sealed" for one in fleet.work)
    assert max(waits) <= 10
