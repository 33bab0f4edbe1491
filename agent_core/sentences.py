"""Define the error messages for users, by code.

A page in another language looks up the code and fills in the params; for an unknown code it shows the English
text. Messages of providers, and messages for developers, have no code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Self

TEMPLATES = {
    # threads and messages
    "thread_not_found": "There is no thread '{thread}'; it may have been deleted.",
    "thread_forbidden": "You may not use the thread '{thread}'.",
    "thread_busy": "The thread '{thread}' is running; wait until it is idle, or stop it.",
    "thread_busy_for_sending": "The thread '{thread}' is running; wait, stop it, or send with "
    "when_busy='queue' or 'interrupt'.",
    "thread_busy_for_agent": "The thread '{thread}' is running; change its agent when it is idle, or stop it.",
    "thread_already_running": "The thread '{thread}' is running already; there is nothing to resume.",
    "metadata_too_long": "The metadata of a thread is at most {most} characters of JSON.",
    "text_too_long": "{name} is longer than {most} characters: it has {size}. Shorten it.",
    "message_blank": "The message is blank; write something or attach a file.",
    "message_not_found": "There is no message '{message}'.",
    "message_not_in_thread": "There is no message '{message}' in the thread '{thread}'.",
    "message_exists": "The thread '{thread}' already has a message '{message}'.",
    "message_in_other_thread": "The message '{message}' is already in another thread; give this one an id of "
    "its own.",
    "message_queued": "The message '{message}' still waits for its turn; wait until it is answered.",
    "message_not_shown": "The message '{message}' is in a branch that is not shown; call select_branch first.",
    "nothing_to_answer": "There is nothing to answer before the message '{message}'.",
    "file_not_found": "The file {name} is no longer here; attach it again.",
    "file_unreadable": "The file {name} cannot be read: it is damaged, encrypted or too large.",
    # agents
    "agent_not_found": "There is no agent '{agent}' here; the agents are: {agents}.",
    "agent_unavailable": "No running process has the agent '{agent}'. The turn continues as soon "
    "as one does. Choose another agent for this thread, or stop it.",
    "agent_of_call_unknown": "The agent '{agent}' is not known here, so the arguments for its tool cannot be "
    "checked; approve the call as it was shown, or ask where the agent is defined.",
    "step_limit_reached": "The turn took {count} model steps, the most that '{agent}' allows. "
    "Resume the thread to let it go on.",
    "step_poisoned": "The process ended {count} times while it ran this step, so the step is not retried "
    "automatically. Resume the thread to try again.",
    # models
    "model_adapter_failed": "The model adapter failed: {words}",
    "model_package_missing": "The model library needs a Python package that is not installed: {words}.",
    "model_provider_unknown": "'{model}' names no known provider. Write it as provider/model, such as "
    "openai/gpt-5-mini.",
    "model_unreachable": "The model {model} could not be reached.",
    "model_unreachable_because": "The model {model} could not be reached: {words}",
    "model_timed_out": "The model {model} did not answer in time.",
    "model_timed_out_because": "The model {model} did not answer in time: {words}",
    "model_interrupted": "The answer of the model {model} broke off.",
    "model_interrupted_because": "The answer of the model {model} broke off: {words}",
    "model_failed": "The model {model} failed without an error message.",
    "model_failed_with_status": "The model {model} failed without an error message (status {status}).",
    "provider_gave_no_reason": "The provider reported an error without a message.",
    "answer_not_in_form": "The answer of the model {model} does not have the form that was asked for: {problem}.",
    "answer_incomplete": "The provider's answer broke off before it was complete. Try again.",
    "message_exceeds_window": "The newest message, with what cannot be left out, needs about {needed} tokens, "
    "and {model} takes {limit}. Shorten the message or start a new thread.",
    "prompt_exceeds_window": "The newest message, with what cannot be left out, needs about {needed} tokens, "
    "and {model} takes {limit}. System prompt and tools alone take more. Shorten the message or start a new "
    "thread.",
    # tool calls
    "tool_call_not_found": "There is no tool call '{call}'.",
    "tool_call_finished": "The tool call '{call}' already has its outcome; the first one stays.",
    "tool_call_needs_approval": "The tool call '{call}' waits for approval; approve or deny it first.",
    "tool_call_already_decided": "The tool call '{call}' no longer waits for approval.",
    "tool_call_denied": "A person denied this call.",
    "tool_call_passed_over": "The person sent another message instead of answering, so this was not done.",
    "tool_call_forked": "This call was still open when the thread was forked; its outcome belongs to the "
    "thread it was forked from.",
    "tool_call_without_outcome": "No outcome came in time.",
    "tool_not_found": "There is no tool '{tool}'; the tools are: {tools}.",
    "tool_gone": "The tool '{tool}' no longer exists.",
    "tool_arguments_invalid": "The arguments for {tool} are not acceptable: {problem}. It takes: {takes}.",
    "tool_failed": "The tool failed.",
    "tool_timed_out": "The tool {tool} did not answer within {seconds} s.",
    "tool_cancelled_itself": "The tool {tool} cancelled itself.",
    "tool_raised": "The tool {tool} raised {error}; the process goes on.",
    "tool_in_doubt": "The process that ran this tool ended while it ran, so the tool may or may not have "
    "taken effect. It was not run again. Check before you try once more.",
    "tool_poisoned": "The process ended {count} times while it ran this tool, so the tool is not run again "
    "automatically. It may or may not have taken effect; check before you try again.",
    "tool_did_not_run": "{words} The tool did not run.",
    "tool_may_have_run": "{words} The tool may or may not have taken effect. Check before you try once more.",
    "tool_server_sign_in": "You are not signed in at {server}. Connect it in the settings, then try again.",
    "tool_server_unreachable": "The tool server {server} cannot be reached: {words}.",
    "tool_server_lost": "The tool server {server} was lost in the middle of a call: {words}.",
    "tool_server_refused": "The tool server {server} refused the call: {words}.",
    "tool_server_malformed": "The answer of the tool server {server} is malformed: {words}.",
    "result_too_deep": "The result is nested too deep, or holds itself; return less of it.",
    "result_not_json": "The result is not JSON: {error}.",
    "result_too_long": "The result is {size} bytes long; the limit is {most}. Return less.",
    # attempts
    "stopped": "stopped",
    "process_ended": "the process ended",
    "server_restarting": "the server is restarting",
    # schedules
    "schedule_not_found": "There is no schedule '{schedule}'; it may have been deleted.",
    "schedule_forbidden": "The schedule '{schedule}' belongs to someone else.",
    "schedule_thread_gone": "The thread '{thread}' no longer exists.",
    "schedule_agent_unknown": "No agent '{agent}' is defined in the process that checked the schedule.",
    "schedule_never_due": "The schedule never comes due: its time has passed, or no day fits it.",
    "interval_out_of_range": "An interval is at least a second and at most ten years.",
    "moment_invalid": "'{when}' is not a moment; write 2030-01-31T09:00:00+01:00.",
    "time_zone_unknown": "'{zone}' is not a time zone; write one such as Europe/Berlin.",
    "cron_field_count": "'{expression}' is not a cron expression: it has five fields, minute, hour, day, "
    "month and day of the week.",
    "cron_item_invalid": "'{item}' is not a valid {field} of a cron expression.",
    "cron_item_empty": "'{item}' is not a valid {field} of a cron expression: it matches no "
    "value ({low}-{high}).",
    "cron_item_out_of_range": "'{item}' is not a valid {field} of a cron expression; it is {low} to {high}.",
    "cron_minute": "minute",
    "cron_hour": "hour",
    "cron_day": "day",
    "cron_month": "month",
    "cron_weekday": "day of the week",
    # limits and budgets
    "limit_provider": "The provider of {model} asked to wait.",
    "limit_requests": "{model} has had its {most} requests of this minute.",
    "limit_tokens": "{model} has used its {most} tokens of this minute.",
    "limit_tokens_reserved": "What is left of the {most} tokens of {model} for this minute is reserved for "
    "running steps.",
    "limit_concurrency": "{model} already has the {most} requests that it may have at once.",
    "budget_spent_turn": "The budget of {amount} for this turn is used up.",
    "budget_spent_day": "Today's budget of {amount} for {whose} is used up.",
    "budget_spent_month": "This month's budget of {amount} for {whose} is used up.",
    "budget_reserved": "What is left of the budget of {amount} is reserved for running steps.",
    "budget_of_user": "this person",
    "budget_of_agent": "the agent '{agent}'",
    "budget_of_thread": "this thread",
    "amount_usd": "${usd}",
    "amount_tokens": "{tokens} tokens",
    "limits_forbidden": "You may not see or change limits and budgets.",
    # the outbox
    "delivery_timed_out": "The receiver did not answer within {seconds} s.",
    "delivery_unreachable": "The receiver could not be reached: {words}",
    "delivery_refused": "The receiver answered with status {status}.",
    "delivery_redirected": "The receiver answered with a redirect (status {status}), which is not followed.",
    "delivery_process_ended": "The process ended during each of {count} deliveries.",
    "dead_letter_not_found": "There is no dead letter '{event}'; it may have been redelivered or discarded.",
    "admin_forbidden": "You may not see or change what belongs to everybody.",
    "outbox_forbidden": "You may not see or change the outbox.",
    # the database
    "database_busy": "The database is busy with another program; try again.",
    "database_closed": "The runtime is closed, and with it the database.",
    "database_damaged": "The database {path} is damaged ({words}). It was left as it is; restore it from a copy.",
    "database_full": "The database {path} has no room left on its disk; nothing was changed. Make room and try "
    "again.",
    "database_not_opened": "The database {path} cannot be opened; check that its folder exists and may be "
    "written to.",
    "database_locked": "The database {path} is locked by another program; end that program and try again.",
    "database_pooled": "The database is behind a pooler that gives each transaction another server session, such as "
    "PgBouncer with pool_mode = transaction. Set pool_mode = session for this user, or connect to the server "
    "directly.",
    "database_read_only": "The database {path} is read-only; make it writable or choose another.",
    "database_refused": "The database {path} refused: {words}.",
    "database_server_refused": "The database server {state} ({words}).",
}
"""English template of each code. A quoted placeholder is for a name, which is shown on one line and cut."""

_HOLE = re.compile(r"( ?)('?)\{(\w+)\}")
_MAX_NAME = 60  # characters


class Sentence(str):
    """Text with its code and params.

    Attributes:
        code: the key of its template.
        params: the params of its template: text, numbers, and other sentences.
    """

    code: str
    params: dict[str, Any]

    def __new__(cls, text: str, code: str, params: dict[str, Any]) -> Self:
        """Return `text` with its code and params."""
        made = super().__new__(cls, text)
        made.code, made.params = code, params
        return made

    def __getnewargs__(self) -> tuple[str, str, dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the constructor's arguments for copy and pickle."""
        return str(self), self.code, self.params

    def map(self, change: Callable[[str], str]) -> Self:
        """Return the sentence with `change` applied to its text and to every text among its params."""
        params = {
            name: value.map(change)
            if isinstance(value, Sentence)
            else change(value)
            if isinstance(value, str)
            else value
            for name, value in self.params.items()
        }
        return type(self)(change(str(self)), self.code, params)

    def to_dict(self) -> dict[str, Any]:
        """Return text, code and params as plain JSON; a sentence among the params is a dict of the same kind."""
        params = {
            name: value.to_dict() if isinstance(value, Sentence) else value
            for name, value in self.params.items()
        }
        return {"text": str(self), "code": self.code, "params": params}


def sentence(code: str, **params: Any) -> Sentence:
    """Return the sentence of a code.

    Args:
        code: a key of `TEMPLATES`.
        params: values of the placeholders: text, numbers or sentences, for quoted placeholders anything.
            An unquoted "" also removes the space before it.
    """
    return compose(code, TEMPLATES[code], **params)


def compose(code: str, template: str, **params: Any) -> Sentence:
    """Return a sentence of an application, from its English template, filled in as by `sentence`."""
    quoted = {name for _, quote, name in _HOLE.findall(template) if quote}
    shown = {name: _name(value) if name in quoted else value for name, value in params.items()}

    def fill(hole: re.Match[str]) -> str:
        space, quote, name = hole.groups()
        return space + quote + _in_english(shown[name]) if quote or shown[name] != "" else ""

    return Sentence(_HOLE.sub(fill, template), code, shown)


def info_of(text: object) -> dict[str, Any] | None:
    """Return the code and params of a sentence as plain JSON; None for any other text."""
    if not isinstance(text, Sentence):
        return None
    return {name: value for name, value in text.to_dict().items() if name != "text"}


def _name(value: object) -> str:
    text = repr(value)
    return (text[1:-1] if isinstance(value, str) else text)[:_MAX_NAME]


def _in_english(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
