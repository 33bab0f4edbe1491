"""Text held back by a stream, on a fake clock: shown once its attempt continues, and never held for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from agent_core.domain.messages import Chunk, Message, Part, Thread, Update
from agent_core.http.ai_sdk_stream import AttemptWatch, Turn
from agent_core.store.insight.durability import AttemptLease
from agent_core.streaming.fold import fold, merge
from agent_core.support.clock import as_datetime

TICK, HEARTBEAT, LEASE, RETRY = 0.1, 2.0, 8.0, 60.0
HERE, ELSEWHERE = "here", "elsewhere"
BEHIND = "the reader falls behind"
ENDS = {"commits and ends": "completed", "stops": "stopped", "gives up": "failed"}
EVENTS = ["says", "says", "commits", "fails", "dies", "is handed over", "is deleted", BEHIND, *ENDS]


class Script(NamedTuple):
    """Course of a turn: events, each after some ticks, and when and how a reader joins.

    Attributes:
        events: pairs of ticks and one of EVENTS.
        worker: HERE, if the reader's process runs the turn.
        comes: index of the event after which the reader joins.
        lag: ticks until an update reaches the reader.
        late: seconds by which every heartbeat is late.
        version: the reader's version of the AI SDK.
    """

    events: Sequence[tuple[int, str]]
    worker: str = ELSEWHERE
    comes: int = 0
    lag: int = 0
    late: float = 0.0
    version: int | None = 6


SCRIPTS = st.builds(
    Script,
    st.lists(st.tuples(st.integers(0, 120), st.sampled_from(EVENTS)), min_size=1, max_size=8),
    st.sampled_from([HERE, ELSEWHERE]),
    st.integers(0, 8),
    st.integers(0, 3),
    st.floats(0, 4),
    st.sampled_from([None, 6, 7]),
)


class World:
    """A turn as it is stored, and the updates for its readers.

    Args:
        worker: process that runs the first attempt.
        late: seconds by which every heartbeat is late.
    """

    def __init__(self, worker: str, late: float) -> None:
        self.now = 0.0
        self.seq = 0
        self.status = "streaming"
        self.told: list[Update] = []
        self.lost: set[int] = set()
        self._every, self._beat = HEARTBEAT + late, 0.0
        self._committed: list[Chunk] = []
        self._said: list[Chunk] = []  # not committed; a lost attempt's text stays until the next one writes
        self._begins_at: float | None = None
        self._begin(worker)

    @property
    def parts(self) -> list[Part]:
        """Parts of the reply."""
        return fold([*self._committed, *self._said])

    @property
    def lives(self) -> bool:
        """Whether a live worker runs the newest attempt."""
        return self._worker is not None and not self._is_dead

    @property
    def speaks(self) -> bool:
        """Whether the newest attempt lives and no text of a lost attempt is left."""
        return self.lives and (not self._said or self._spoke == self.seq)

    def lease(self, seq: int) -> AttemptLease | None:
        """Return the lease of an attempt, as `attempt_lease` reads it."""
        if self._worker is None or seq != self.seq:
            return None
        return AttemptLease(self._worker, self._until)

    def snapshot(self) -> Update:
        """Return the snapshot that a new reader gets."""
        at = as_datetime(0)
        reply = (
            [Message("r", "t", "assistant", fold(self._committed), at, committed_seq=self._at)]
            if self._at
            else []
        )
        prompt = Message("m", "t", "user", [{"type": "text", "text": "Hi"}], at)
        return Update(
            "snapshot",
            len(self.told),
            Thread("t", self.status, at, at),
            [prompt, *reply],
            self._spoke,
            "r" if self._said else None,
            merge(self._said),
        )

    _at = _spoke = 0
    """Seq of the newest committed attempt, and of the newest attempt that wrote text."""

    def tick(self) -> None:
        """Advance the clock by one tick: heartbeats, expired leases, retries."""
        self.now += TICK
        if self.lives and self.now >= self._beat:
            self._until, self._beat = self.now + LEASE, self.now + self._every
        if self._worker is not None and self.now >= self._until:
            self._hand_over(0)
        if self._begins_at is not None and self.now >= self._begins_at:
            self._begin("a third")

    def happens(self, event: str) -> None:
        """Apply one of EVENTS, if it is possible now."""
        if event in ("is deleted", "stops", "gives up"):
            self._close()
            self._end(event)
        elif not self.lives:
            return
        elif event == "says":
            self._say()
        elif event == "dies":
            self._is_dead = True
            self.lost.add(self.seq)
        elif event == "fails":
            self._close()
            self._hand_over(RETRY)
        elif event == "is handed over":
            self._hand_over(1.0)
        else:
            self._say()
            self._commit()
            self._end(event) if event in ENDS else self._begin(self._worker or "")

    def _begin(self, worker: str) -> None:
        self.seq += 1
        self._worker: str | None = worker
        self._is_dead, self._begins_at = False, None
        self._until, self._beat = self.now + LEASE, self.now + self._every

    def _say(self) -> None:
        first = self._spoke != self.seq
        chunks: list[Chunk] = [{"type": "start-step"}, {"type": "text-start", "id": "0"}] if first else []
        self._said = [] if first else self._said
        self._spoke = self.seq
        self._tell(self.seq, *chunks, {"type": "text-delta", "id": "0", "delta": f"<{self.seq}>"})

    def _commit(self) -> None:
        self._tell(self.seq, {"type": "text-end", "id": "0"}, {"type": "finish-step"})
        self._committed += self._said[:-1]
        self._said, self._at = [], self.seq

    def _close(self) -> None:
        """End the text of an attempt that is cut off."""
        if self._said and self._said[-1]["type"] == "text-delta":
            self._tell(self._spoke, {"type": "text-end", "id": "0"})

    def _hand_over(self, after: float) -> None:
        self.lost.add(self.seq)
        self._worker, self._begins_at = None, self.now + after

    def _end(self, event: str) -> None:
        self._worker = self._begins_at = None
        self.status = ENDS.get(event, "deleted")
        if event == "is deleted":
            self.told.append(Update("deleted", 0))
        else:
            data = {"status": self.status, "error": "Enough." if self.status == "failed" else None}
            self._tell(0, {"type": "data-thread", "data": data, "transient": True})

    def _tell(self, seq: int, *chunks: Chunk) -> None:
        if seq:
            self._said = [*self._said, *chunks]
        name = "r" if seq else None
        self.told.append(Update("chunks", len(self.told) + 1, seq=seq, message_id=name, chunks=chunks))


class Reader:
    """Reader that resumes the stream as `ui_stream` does, with late updates and checks at every tick."""

    def __init__(self, world: World, script: Script) -> None:
        self.shown: list[Chunk] = []
        self.after_end: list[Chunk] = []
        self.turn = Turn(version=script.version)
        self.waited = 0.0
        self._world, self._lag = world, script.lag
        self._due: list[tuple[float, Update]] = []
        self._heard = len(world.told)
        self._watch = AttemptWatch(HERE)
        self._take(self.turn.take(world.snapshot()))

    def look(self) -> None:
        """Take the updates that are due, and check the text that is held back."""
        self._due += [(self._world.now + self._lag * TICK, one) for one in self._world.told[self._heard :]]
        self._heard = len(self._world.told)
        while self._due and self._due[0][0] <= self._world.now and not self.turn.over:
            self._take(self.turn.take(self._due.pop(0)[1]))
        held = self.turn.held
        if held is not None:
            self._take(self.turn.release_held(self._watch.continues(held, self._world.lease(held))))
        self.waited = 0.0 if self.turn.held is None else self.waited + TICK

    def _take(self, chunks: Any) -> None:
        for chunk in chunks:
            (self.after_end if self.shown and self.shown[-1]["type"] in FINAL else self.shown).append(chunk)

    def falls_behind(self) -> None:
        """Take a snapshot, as after too many missed updates."""
        if not self.turn.over:
            self._take(self.turn.take(self._world.snapshot()))

    def said(self, seq: int) -> bool:
        """Return whether the reader shows text of an attempt."""
        return f"<{seq}>" in str(self.shown)


FINAL = ("finish", "abort", "error")


def goes(script: Script) -> None:
    """Run a turn and its reader through a script, checking the shown text at every tick and at the end."""
    world, reader = World(script.worker, script.late), None
    lost, lived = set[int](), 0.0
    patience = HEARTBEAT + script.late + (script.lag + 3) * TICK
    for place, (ticks, event) in enumerate([*script.events, (700, "says"), (0, "commits and ends"), (5, "")]):
        for _ in range(ticks):
            world.tick()
            if reader is not None:
                reader.look()
                lived = lived + TICK if world.speaks else 0.0
                assert reader.waited <= LEASE + patience, "held words are looked after for ever"
                if lived > patience and not reader.turn.over and script.version != 6:
                    assert fold(reader.shown) == world.parts, "words of an attempt that goes on are not shown"
        if event == BEHIND and reader is not None:
            reader.falls_behind()
        elif world.status == "streaming" and event not in ("", BEHIND):
            world.happens(event)
            lived = 0.0
        if reader is None and place == script.comes and world.status == "streaming":
            reader = Reader(world, script)
            lost = set[int]() if script.version == 7 else set(world.lost)
    if reader is not None:
        ends_well(world, reader, lost)


def ends_well(world: World, reader: Reader, lost: set[int]) -> None:
    """Check what a reader shows at the end, and that no text of the `lost` attempts is left."""
    last = reader.shown[-1]
    assert last["type"] in FINAL, reader.shown
    assert reader.after_end == []
    if "load the messages" in last.get("errorText", ""):
        assert reader.turn.status == "streaming"
    elif world.status != "deleted":
        assert fold(reader.shown[:-1]) == world.parts
    for seq in lost - {world.seq}:
        assert not reader.said(seq) or f"<{seq}>" in str(world.parts)


@given(SCRIPTS)
@example(Script([(1, "says")], comes=0))
@example(Script([(1, "says"), (1, "fails"), (1, "stops")], comes=1))
@example(Script([(1, "says"), (1, "dies"), (300, "says")], comes=1))
@example(Script([(1, "says"), (1, "dies"), (300, "says")], comes=1, version=None))
@example(Script([(1, "says"), (1, "dies"), (300, "dies"), (300, "stops")], comes=1))
@example(Script([(1, "says"), (1, BEHIND)], comes=0))
def test_held_words_are_shown_or_dropped_within_a_heartbeat(script: Script) -> None:
    goes(script)
