"""Why an attempt at a model step, or a tool call, ended without its result."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from agent_core.sentences import sentence


class EndReason(StrEnum):
    """Reason that rows, the spans of a timeline and `Message.end_reasons` give for the end.

    error: the provider, the tool or this library raised. stopped: a person stopped the thread.
    passed_over: a person wrote on without answering the call. process_ended: its process died.
    released: its server closed and gave it back. in_doubt: its process died and it may not run again.
    denied: a person denied the call. timed_out: it took longer than its timeout. poisoned: it ended
    its process too often. forked: it was open when its thread was copied.
    """

    ERROR = "error"
    STOPPED = "stopped"
    PASSED_OVER = "passed_over"
    PROCESS_ENDED = "process_ended"
    RELEASED = "released"
    IN_DOUBT = "in_doubt"
    DENIED = "denied"
    TIMED_OUT = "timed_out"
    POISONED = "poisoned"
    FORKED = "forked"


END_REASON = "endReason"
"""The key of a `tool-output-error` chunk that has the reason; parts do not have it, `Message.end_reasons` does."""

ERROR_INFO = "errorInfo"
"""The key of such a chunk that has the code and the params of the error's text, where it is a `Sentence`."""


class End(NamedTuple):
    """The end of an attempt or a call without a result: its reason, and the sentence to read about it."""

    reason: EndReason
    text: str


STOPPED = End(EndReason.STOPPED, sentence("stopped"))
PASSED_OVER = End(EndReason.PASSED_OVER, sentence("tool_call_passed_over"))
PROCESS_ENDED = End(EndReason.PROCESS_ENDED, sentence("process_ended"))
RELEASED = End(EndReason.RELEASED, sentence("server_restarting"))
IN_DOUBT = End(EndReason.IN_DOUBT, sentence("tool_in_doubt"))
NO_OUTCOME = End(EndReason.TIMED_OUT, sentence("tool_call_without_outcome"))
STILL_OPEN = End(EndReason.FORKED, sentence("tool_call_forked"))
DENIED = End(EndReason.DENIED, sentence("tool_call_denied"))


def failed(text: str) -> End:
    """Return the end of what raised an error with this text."""
    return End(EndReason.ERROR, text)
