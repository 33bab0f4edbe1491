"""The judge: count what a run lost or repeated, thread by thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from agent_core.domain.end_reasons import IN_DOUBT
from agent_core.domain.messages import Message
from tests.chaos.world import script, texts

_ONCE = ("charge", "pay", "ask", "remind")  # not rerun once they may have started
FIGURES = (
    *("threads", "steps", "kills", "pauses", "deaths", "sealed", "asked", "in_doubt"),
    *("lost", "doubled", "stuck", "seconds"),
)


@dataclass
class Verdict:
    """Figures of a run; `lost`, `doubled` and `stuck` must be 0."""

    threads: int = 0
    steps: int = 0
    kills: int = 0
    pauses: int = 0
    deaths: int = 0  # worker deaths by poison
    sealed: int = 0  # poisoned steps that were sealed
    asked: int = 0
    in_doubt: int = 0
    lost: int = 0
    doubled: int = 0
    stuck: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list[str])
    stories: Counter[str] = field(default_factory=Counter[str])
    lines: list[str] = field(default_factory=list[str])
    effects: Counter[str] = field(default_factory=Counter[str])

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or stuck."""
        return not (self.lost or self.doubled or self.stuck)

    def hear(self, lines: list[str]) -> None:
        """Store the lines of the effects, before anything is judged."""
        self.lines, self.effects = lines, Counter(lines)

    def lose(self, note: str) -> None:
        """Count and note something missing."""
        self.lost += 1
        self.notes.append(note)

    def double(self, note: str) -> None:
        """Count and note something that happened more often than it should."""
        self.doubled += 1
        self.notes.append(note)

    def strand(self, note: str) -> None:
        """Count and note a thread that has not ended."""
        self.stuck += 1
        self.notes.append(note)

    def thread(self, name: str, messages: list[Message], forgiven: Collection[str] = ()) -> None:
        """Judge a thread in which each question must have its complete answer."""
        for question, reply in zip(messages[::2], messages[1::2], strict=False):
            self.turn(name, question.text, reply, forgiven)
        if len(messages) % 2:
            self.lose(f"{name} has an unanswered message")

    def turn(self, name: str, prompt: str, reply: Message, forgiven: Collection[str] = ()) -> None:
        """Judge one turn.

        Args:
            name: id of the thread.
            prompt: text of the question.
            reply: the answer.
            forgiven: errors that the answer's calls may have, beside the one of calls in doubt.
        """
        said = [part["text"] for part in reply.parts if part["type"] == "text"]
        right = texts(prompt)
        self.steps += len(said)
        if len(said) > len(right):
            self.double(f"{name} says {said}")
        elif said != right:
            self.lose(f"{name} says {said}")
        calls = [part for part in reply.parts if "toolCallId" in part]
        wanted = [use for step in script(prompt) for use in step]
        if len(calls) != len(wanted):
            self.lose(f"{name} has {len(calls)} calls, not {len(wanted)}")
        for part in calls:
            self.call(name, part, forgiven)
        self.asked += sum(self.effects[f"ask {prompt} {step}"] for step in range(len(right)))

    def call(self, name: str, part: dict[str, Any], forgiven: Collection[str] = ()) -> None:
        """Judge one call by its outcome and by how often its effect happened."""
        verb, error = part["type"].removeprefix("tool-"), part.get("errorText")
        times = self.times(name, part)
        if verb == "charge" and times > 1:
            self.double(f"{name} charged {times} times in {part['toolCallId']}")
        if error == IN_DOUBT.text and verb in _ONCE:
            self.in_doubt += 1
        elif error in forgiven or verb in ("pay", "ask", "remind"):
            return  # the story judges these itself
        elif part["state"] != "output-available" or times == 0:
            self.lose(f"{name} has {part}, which happened {times} times")

    def times(self, name: str, part: dict[str, Any], *words: object) -> int:
        """Return how often a call's effect happened; `words` follow the call's key in the line."""
        verb = part["type"].removeprefix("tool-")
        verb = {"ask": "asked", "remind": "reminded"}.get(verb, verb)
        return self.effects[" ".join(map(str, (verb, f"{name}:{part['toolCallId']}", *words)))]

    def table(self) -> str:
        """Return the figures as text."""
        line = "  ".join(f"{name} {getattr(self, name):g}" for name in FIGURES)
        stories = "  ".join(f"{name} {count}" for name, count in sorted(self.stories.items()))
        return "\n".join([line, stories, *self.notes[:10]])
