"""Views of a thread: the plain values that the page renders, created by `message_views` from messages."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ToolCallView:
    """Row of one tool call.

    Attributes:
        state: preparing, running, retrying (waits for its next attempt), approval (waits for an approval),
            answer (waits for a person's answer), done, failed, stopped (by a person) or denied.
        error_info, progress_info: code and params of a text from `agent_core.sentences`; {} for any other.
        brief: the arguments in a few words; `arguments` and `result` are indented JSON or text.
        progress: the last progress report; `percent` is 0 to 100, or -1 if the report has no number.
        since: start of the run, in seconds since the epoch; 0 if unknown or not running.
        took: duration of all attempts together, in seconds; -1 if unknown.
        attempt: number of the attempt, from 1; while retrying, of the next one, due in `wait` seconds.
        question, options: the question to a person, and the answers to choose from.
        input, output: arguments and result, only for a tool with a registered view
            (`register_tool_view`); a value that is not a dict is under "value".
        opened: whether the row is expanded at first.
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
    """Row of one part of an assistant message.

    Attributes:
        kind: text, reasoning, tool, file, source or note.
        run: name of the part and its attempt, compared with `OpenThreadText.run`.
        live: the text is streamed through `OpenThreadText`, and `text` is empty.
        turns: number of turns of a note, whose `text` is "left_out", "summed_up" or "shortened".
    """

    key: str
    kind: str
    text: str = ""
    live: bool = False
    run: str = ""
    url: str = ""
    tool: ToolCallView = field(default_factory=ToolCallView)
    turns: int = 0


@dataclass(frozen=True)
class FileView:
    """File of a user's message.

    Attributes:
        path: path on this server, or `url`: address on the web; both are "" if only the name is known.
        picture: whether the page can show the file inline.
        shown: path of the picture if that is not `path`, because browsers cannot show the file itself.
    """

    name: str
    path: str = ""
    url: str = ""
    picture: bool = False
    shown: str = ""


@dataclass(frozen=True)
class MessageView:
    """Row of one message: a user's in `text` and `files`, an assistant's in `parts`.

    Attributes:
        hidden: number of characters by which `text` cuts a long prompt.
        count: number of versions of the message, 0 if it is the only one; `place` is the position of
            this version, from 1; `previous` and `next` are the ids of the versions next to it, or "".
        vote: the user's vote on an answer: up, down or "".
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
    """Message that was returned to the composer: its text and its file parts."""

    id: str = ""
    thread_id: str = ""
    text: str = ""
    files: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class RetryView:
    """Pending retry of a turn: its next attempt, the `seconds` until then, and the last error.

    With the kind "unknown_agent" the turn waits until a process knows its agent; with "limit" or "budget" it is
    paused until `next_at`, in seconds since the epoch (0: that is not known), and `may_raise` says whether the user
    may raise the budget.
    """

    kind: str = ""
    attempt: int = 0
    max_attempts: int = 0
    seconds: float = 0
    error: str = ""
    error_info: dict[str, Any] = field(default_factory=dict)
    next_at: float = 0
    may_raise: bool = False
