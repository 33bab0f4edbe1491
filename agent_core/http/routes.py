"""Define the paths: the API method of each, and the fields of its body and query.

Fields have the names of the method's arguments. `user_id` is never the caller: over HTTP, `context` determines the
user. It is only the person whose budget is meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from agent_core.domain.limits import Budget, Limit
from agent_core.http.requests import (
    WAIT_TIMEOUT,
    count,
    moment,
    moment_field,
    names,
    seconds_to_wait,
    trigger,
    truth,
    value_of,
)


@dataclass(frozen=True, slots=True)
class Path:
    """A verb and path.

    Attributes:
        verb, path: of the request; names in braces are arguments.
        method: the name of the API's method, such as "send_message" or "schedules.create".
        required, optional: the fields of the body.
        query: the names of the query's values, each with its parser.
        defaults: arguments that the request may omit.
        status: status of the response; 204 if the method returns None.
        name: key of a list in the response, so that other keys can be added.
    """

    verb: str
    path: str
    method: str
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    query: Mapping[str, Callable[[str], Any]] = field(default_factory=dict[str, Callable[[str], Any]])
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    status: int = 200
    name: str | None = None

    @property
    def kind(self) -> str | None:
        """The kind of thing that does not exist if the method returns None; None: no error."""
        return {"get_thread": "thread", "schedules.get": "schedule"}.get(self.method)

    @property
    def is_admin(self) -> bool:
        """Whether it is about no thread of the caller; `limits_callback` or its like decides who may use it."""
        return self.method.startswith(("limits.", "outbox.", "admin."))


TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("title", "agent", "thread_id", "message_id", "new_thread_id", "schedule_id"), (str,)),
    **dict.fromkeys(
        ("when_busy", "after", "reason", "error", "missed", "model", "user_id", "until", "error_kind"), (str,)
    ),
    **dict.fromkeys(("auto_start", "pinned", "archived", "anywhere"), (bool,)),
    **dict.fromkeys(
        (
            "metadata",
            "changes",
            "args",
            "message",
            "stream_args",
            "trigger",
            "document",
            "limit",
            "budget",
            "threads",
        ),
        (dict,),
    ),
    **dict.fromkeys(("messages", "ids"), (list,)),
    **{"prompt": (str, list), "seconds": (int, float), "max_runs": (int,)},
}
"""The JSON types of the fields. Null in an optional field is the same as leaving it out."""

NULLABLE = ("result", "seconds")
"""Required fields in which null is a value."""

READERS: Mapping[str, Callable[[Any], Any]] = {
    **{"trigger": trigger, "ids": names, "until": moment_field},
    **{"limit": partial(value_of, Limit), "budget": partial(value_of, Budget)},
}
"""Parsers of fields that need more than a check of their type."""

_THREADS, _THREAD = "/threads", "/threads/{thread_id}"
_MESSAGE, _CALL = _THREAD + "/messages/{message_id}", "/tool-calls/{tool_call_id}"
_DEAD_LETTERS = "/outbox/dead-letters"
_FAILED, _ALL_SCHEDULES = "/admin/failed-threads", "/admin/schedules"
_SCHEDULES, _SCHEDULE = "/schedules", "/schedules/{schedule_id}"
_NEW_THREAD = ("prompt", "messages", "auto_start", "title", "metadata", "agent", "thread_id", "message_id")
_CHANGES = ("title", "pinned", "archived", "metadata", "agent")
_WHOSE = ("user_id", "agent", "thread_id")
_NEW_SCHEDULE = ("thread_id", "title", "metadata", "missed", "max_runs", "schedule_id", "agent")

PATHS = (
    Path("POST", _THREADS, "create_thread", optional=_NEW_THREAD, status=201),
    Path(
        *("GET", _THREADS, "list_threads"),
        query={
            "limit": count,
            "cursor": str,
            "query": str,
            "archived": truth,
            "pinned": truth,
            "waiting": truth,
        },
        name="threads",
    ),
    Path("GET", _THREAD, "get_thread"),
    Path("GET", _THREAD + "/export", "export_thread"),
    Path("POST", _THREADS + "/import", "import_thread", required=("document",), status=201),
    Path("PATCH", _THREAD, "update_thread", optional=_CHANGES),
    Path("DELETE", _THREAD, "delete_thread", query={"undo_for": count}),
    Path("POST", _THREAD + "/restore", "restore_thread"),
    Path(
        *("GET", "/search", "search"),
        query={"query": str, "limit": count, "archived": truth},
        defaults={"query": ""},
        name="hits",
    ),
    # A server does not notice that a waiting client has disconnected, so the wait is limited.
    Path(
        *("GET", _THREAD + "/idle", "wait_until_idle"),
        query={"timeout": seconds_to_wait},
        defaults={"timeout": WAIT_TIMEOUT},
    ),
    Path(
        *("GET", _THREAD + "/messages", "list_messages"),
        query={"limit": count, "before": str},
        name="messages",
    ),
    Path(
        *("POST", _THREAD + "/messages", "send_message"),
        required=("prompt",),
        optional=("message_id", "when_busy", "after", "metadata"),
        status=201,
    ),
    Path("POST", _THREAD + "/history", "add_message", required=("message",), status=201),
    Path("POST", _THREAD + "/resume", "resume_thread", optional=("prompt",)),
    Path("POST", _THREAD + "/stop", "stop_thread"),
    Path("POST", _MESSAGE + "/withdraw", "withdraw_message"),
    Path("POST", _MESSAGE + "/now", "send_now"),
    Path("POST", _MESSAGE + "/edit", "edit_message", required=("prompt",), status=201),
    Path("POST", _MESSAGE + "/regenerate", "regenerate", optional=("when_busy", "anywhere")),
    Path("POST", _MESSAGE + "/select", "select_branch"),
    Path("POST", _MESSAGE + "/fork", "fork_thread", optional=("new_thread_id",), status=201),
    Path("POST", _THREAD + "/approvals", "approve_tool_calls", required=("ids",), optional=("args",)),
    Path("POST", _THREAD + "/denials", "deny_tool_calls", required=("ids",), optional=("reason",)),
    *(
        Path(verb, prefix + _CALL + end, method, required=(field_,))
        for prefix in (_THREAD, "")
        for verb, end, method, field_ in (
            ("POST", "/result", "add_tool_result", "result"),
            ("POST", "/error", "add_tool_error", "error"),
            ("PUT", "/timeout", "set_tool_call_timeout", "seconds"),
        )
    ),
    Path("PATCH", _THREAD + "/metadata", "change_metadata", required=("changes",)),
    Path("POST", _THREAD + "/share", "shares.create", name="token"),
    Path("DELETE", _THREAD + "/share", "shares.revoke"),
    Path("GET", "/waiting", "list_waiting", query={"limit": count}, name="waiting"),
    Path("GET", _THREAD + "/updates", "stream_updates", query={"from_seq": count}, name="updates"),
    Path("POST", _THREAD + "/streams", "list_messages_with_streams", optional=("stream_args",)),
    Path("GET", _THREAD + "/timeline", "timeline", query={"turns": count}, name="spans"),
    Path("GET", _THREAD + "/durability", "insight.durability"),
    Path("GET", _THREAD + "/usage", "insight.usage"),
    Path("GET", "/usage", "insight.usage_summary", query={"since": moment, "until": moment}),
    Path(
        *("POST", _SCHEDULES, "schedules.create"),
        required=("prompt", "trigger"),
        optional=_NEW_SCHEDULE,
        defaults={"thread_id": None},
        status=201,
    ),
    Path("GET", _SCHEDULES, "schedules.list", query={"thread_id": str}, name="schedules"),
    Path("GET", _SCHEDULE, "schedules.get"),
    Path(
        *("PATCH", _SCHEDULE, "schedules.update"),
        optional=("prompt", "trigger", "title", "metadata", "missed"),
    ),
    Path("POST", _SCHEDULE + "/pause", "schedules.pause"),
    Path("POST", _SCHEDULE + "/resume", "schedules.resume"),
    Path("POST", _SCHEDULE + "/run", "schedules.run_now"),
    Path("GET", _SCHEDULE + "/runs", "schedules.runs", query={"limit": count}, name="runs"),
    Path("DELETE", _SCHEDULE, "schedules.delete"),
    Path("GET", "/outbox", "outbox.status"),
    Path("DELETE", "/outbox", "outbox.switch_off"),
    Path(
        *("GET", _DEAD_LETTERS, "outbox.dead_letters"),
        query={"limit": count, "before": str},
        name="dead_letters",
    ),
    Path("POST", _DEAD_LETTERS + "/redeliver", "outbox.redeliver_all", name="redelivered"),
    Path("POST", _DEAD_LETTERS + "/{event_id}/redeliver", "outbox.redeliver"),
    Path("DELETE", _DEAD_LETTERS + "/{event_id}", "outbox.discard"),
    Path("GET", "/limits", "limits.list_limits", name="limits"),
    Path("PUT", "/limits", "limits.set_limit", required=("model", "limit")),
    Path("DELETE", "/limits", "limits.remove_limit", query={"model": str}, defaults={"model": ""}),
    Path("GET", "/budgets", "limits.list_budgets", query=dict.fromkeys(_WHOSE, str), name="budgets"),
    Path("PUT", "/budgets", "limits.set_budget", required=("budget",), optional=_WHOSE),
    Path(
        *("DELETE", "/budgets", "limits.remove_budget"),
        query=dict.fromkeys(("per", *_WHOSE), str),
        defaults={"per": ""},
    ),
    Path("GET", "/admin/work", "admin.work", query={"limit": count}),
    Path("GET", _FAILED, "admin.failed_threads", query={"limit": count, "agent": str, "error_kind": str}),
    Path("POST", _FAILED + "/retry", "admin.retry_failed", required=("threads",), name="retried"),
    Path(
        *("POST", _FAILED + "/retry-all", "admin.retry_all_failed"),
        optional=("until", "agent", "error_kind"),
        name="retried",
    ),
    Path(
        *("GET", "/admin/usage", "admin.usage"),
        query={"since": moment, "limit": count},
        defaults={"since": None},
    ),
    Path("GET", _ALL_SCHEDULES, "admin.schedules", query={"limit": count}, name="schedules"),
    Path("POST", _ALL_SCHEDULES + "/{schedule_id}/pause", "admin.pause_schedule"),
    Path("POST", _ALL_SCHEDULES + "/{schedule_id}/resume", "admin.resume_schedule"),
    Path("DELETE", _ALL_SCHEDULES + "/{schedule_id}", "admin.delete_schedule"),
    Path("GET", "/admin/storage", "admin.storage"),
    Path("GET", "/preferences", "preferences.get", name="preferences"),
    Path("PATCH", "/preferences", "preferences.change", required=("changes",), name="preferences"),
)
