"""What the page draws of a thread: plain values, made by `present` from messages."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ToolView:
    """One tool call as a row.

    Attributes:
        state: preparing, running, retrying (waits for its next attempt), approval (waits for a yes),
            answer (waits for a person's words), done, failed, stopped (by a person) or denied.
        error_info, progress_info: code and params of such a text where it is a sentence of ours; else {}.
        brief: the arguments in a few words; `arguments` and `result` are pretty JSON or text.
        progress: what the tool last reported; `percent` is 0 to 100, or -1 when it gave no number.
        since: when it began to run, in seconds since the epoch; 0 if unknown or not running.
        took: how long it ran, all attempts together, in seconds; -1 if that is not known.
        attempt: 1 for the first; of a call that waits, the one that comes next, in `wait` seconds.
        question, options: what a person is asked, and answers to choose from.
        input, output: what went in and came out, for a tool with a view of its own
            (`register_tool_view`) and for no other; an output that is no dict is under "value".
        opened: whether the row shows what is in it before anyone asks.
    """

    id: str = ""
    name: str = ""
    title: str = ""
    icon: str = ""
    state: str = ""
    brief: str = ""
    arguments: str = ""
    result: str = ""
    error: str = ""
    error_info: dict[str, Any] = field(default_factory=dict)
    progress: str = ""
    progress_info: dict[str, Any] = field(default_factory=dict)
    percent: int = -1
    since: float = 0
    took: float = -1
    attempt: int = 1
    wait: float = 0
    approval_id: str = ""
    question: str = ""
    options: list[str] = field(default_factory=list)
    input: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    opened: bool = False


@dataclass(frozen=True)
class PartView:
    """One part of an assistant message.

    Attributes:
        kind: text, reasoning, tool, file, source or note.
        run: names the part and its attempt; what `OpenThreadText.run` is compared with.
        live: its text comes through `OpenThreadText` and `text` is empty.
        turns: of a note, whose `text` is "left_out", "summed_up" or "shortened": how many turns it is about.
    """

    key: str
    kind: str
    text: str = ""
    live: bool = False
    run: str = ""
    url: str = ""
    tool: ToolView = field(default_factory=ToolView)
    turns: int = 0


@dataclass(frozen=True)
class FileView:
    """A file of a person's message.

    Attributes:
        path: where our own server has it; `url` where the web has it; both "" if it only has a name.
        picture: whether it can be shown in place.
    """

    name: str
    path: str = ""
    url: str = ""
    picture: bool = False


@dataclass(frozen=True)
class MessageView:
    """One message; a user's words are in `text` and `files`, an assistant's in `parts`.

    Attributes:
        hidden: how many characters of a very long prompt are not in `text`.
        count: how many versions there are of it, 0 if it is the only one; `place` is which of them
            this is, from 1; `previous` and `next` are the ids of its neighbours, or "".
        vote: what the person thinks of an answer: up, down or "".
    """

    id: str
    role: str
    text: str = ""
    hidden: int = 0
    parts: list[PartView] = field(default_factory=list)
    files: list[FileView] = field(default_factory=list)
    vote: str = ""
    place: int = 0
    count: int = 0
    previous: str = ""
    next: str = ""


@dataclass(frozen=True)
class ReturnedView:
    """A message that was taken back, for the composer: its text, and the parts of its files."""

    id: str = ""
    thread_id: str = ""
    text: str = ""
    files: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class RetryView:
    """A turn that waits: for which attempt, in how many seconds, and why; or for its agent, by `kind`."""

    kind: str = ""
    attempt: int = 0
    max_attempts: int = 0
    seconds: float = 0
    error: str = ""
    error_info: dict[str, Any] = field(default_factory=dict)
