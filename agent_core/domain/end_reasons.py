"""Name the reasons why an attempt at a model step, or a tool call, ended without its result."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from agent_core.sentences import sentence


class EndReason(StrEnum):
    """Reason in rows, in the spans of a timeline and in `Message.end_reasons`.

    error: the provider, the tool or this library raised. stopped: a person stopped the thread.
    passed_over: a person sent a message without answering the call. process_ended: the process died.
    released: the server shut down and released the work. in_doubt: the process died and the call may not run
    again. denied: a person denied the call. timed_out: the call exceeded its timeout. poisoned: the work ended
    its process too often. forked: the call was open when its thread was copied.
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
"""Key of the reason in a `tool-output-error` chunk; `Message.end_reasons` has it, parts do not."""

ERROR_INFO = "errorInfo"
"""Key of the code and params in such a chunk, if the error's text is a `Sentence`."""


class End(NamedTuple):
    """End of an attempt or a call without a result: the reason, and a sentence for people."""

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
    """Return the end of work that raised an error with this text."""
    return End(EndReason.ERROR, text)
