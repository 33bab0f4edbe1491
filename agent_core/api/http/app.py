"""The app: every path, the method of the API behind it, and what its body or query may hold.

A path is a line of `_PATHS`: it names the same arguments as the method, so that who knows one knows
the other. `user_id` is never among them: over HTTP the caller is who `context` says it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agent_core.api.http import asked
from agent_core.api.http.answers import answer, guarded, refusal
from agent_core.api.http.asked import Context, body_of, caller, expect, fields, query_of
from agent_core.api.http.chat import Chat
from agent_core.api.http.events import thread_events
from agent_core.errors import ThreadNotFoundError

if TYPE_CHECKING:
    from agent_core.api import AgentApi

_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("title", "thread_id", "message_id", "when_busy", "reason", "error"), (str,)),
    **dict.fromkeys(("auto_start", "pinned", "archived"), (bool,)),
    **dict.fromkeys(("metadata", "args", "message", "stream_args"), (dict,)),
    **dict.fromkeys(("messages", "ids"), (list,)),
    **{"prompt": (str, list), "seconds": (int, float)},
}


class Path:
    """One path and verb.

    Args:
        verb, path: of the request.
        method: the name of the API's method.
        required, optional: fields of the body; the query's are in `query`.
        query: names and readers of the query's values.
        status: of the answer.
        name: under which a list is answered, so that there is room beside it.
    """

    def __init__(
        self,
        verb: str,
        path: str,
        method: str,
        required: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
        *,
        query: Mapping[str, Callable[[str], Any]] | None = None,
        status: int = 200,
        name: str | None = None,
    ) -> None:
        self.verb, self.path, self.method = verb, path, method
        self.required, self.optional = required, optional
        self.query = query or {}
        self.status, self.name = status, name


_THREAD, _CALL = "/threads/{thread_id}", "/tool-calls/{tool_call_id}"
_PATHS = [
    Path(
        "POST",
        "/threads",
        "create_thread",
        optional=("prompt", "messages", "auto_start", "title", "metadata", "thread_id", "message_id"),
        status=201,
    ),
    Path(
        "GET",
        "/threads",
        "list_threads",
        query={"limit": asked.count, "cursor": str, "query": str, "archived": asked.truth},
        name="threads",
    ),
    Path("GET", _THREAD, "get_thread"),
    Path("PATCH", _THREAD, "update_thread", optional=("title", "pinned", "archived", "metadata")),
    Path("DELETE", _THREAD, "delete_thread"),
    Path("GET", _THREAD + "/idle", "wait_until_idle", query={"timeout": asked.patience}),
    Path(
        "GET",
        _THREAD + "/messages",
        "list_messages",
        query={"limit": asked.count, "before": str},
        name="messages",
    ),
    Path(
        "POST",
        _THREAD + "/messages",
        "send_message",
        ("prompt",),
        ("message_id", "when_busy"),
        status=201,
    ),
    Path("POST", _THREAD + "/history", "add_message", ("message",), status=201),
    Path("POST", _THREAD + "/resume", "resume_thread", optional=("prompt",)),
    Path("POST", _THREAD + "/stop", "stop_thread"),
    Path("POST", _THREAD + "/approvals", "approve_tool_calls", ("ids",), ("args",)),
    Path("POST", _THREAD + "/denials", "deny_tool_calls", ("ids",), ("reason",)),
    Path("GET", _THREAD + "/updates", "stream_updates", query={"from_seq": asked.count}, name="updates"),
    Path("POST", _THREAD + "/streams", "list_messages_with_streams", optional=("stream_args",)),
    Path("GET", _THREAD + "/timeline", "timeline", name="spans"),
    Path("GET", _THREAD + "/usage", "usage"),
    Path("GET", "/usage", "usage_summary", query={"since": asked.moment, "until": asked.moment}),
    *(
        Path(verb, prefix + _CALL + end, method, required)
        for prefix in (_THREAD, "")
        for verb, end, method, required in (
            ("POST", "/result", "add_tool_result", ("result",)),
            ("POST", "/error", "add_tool_error", ("error",)),
            ("PUT", "/timeout", "set_tool_call_timeout", ("seconds",)),
        )
    ),
]


def make_app(
    api: AgentApi, context: Context | None = None, *, max_body: int = 32 << 20, heartbeat: float = 15.0
) -> Starlette:
    """Return the app; `AgentApi.http_app` says what the arguments are."""

    async def found(path: Path, request: Request) -> Response:
        ctx = await caller(context, request)
        given = await body_of(request, max_body) if path.verb in ("POST", "PUT", "PATCH") else {}
        values = fields(given, path.required, path.optional) | query_of(request, **path.query)
        expect(values, _TYPES)
        if path.method == "wait_until_idle":  # nobody is told here when the client has gone
            values.setdefault("timeout", asked.PATIENCE)
        value = await getattr(api, path.method)(**request.path_params, **values, ctx=ctx)
        if value is None and path.method == "get_thread":
            raise ThreadNotFoundError(f"There is no thread {request.path_params['thread_id']!r}.")
        return answer({path.name: value} if path.name else value, path.status)

    async def events(request: Request) -> Response:
        return await thread_events(api, request, await caller(context, request), heartbeat)

    routes = [Route(path.path, guarded(partial(found, path)), methods=[path.verb]) for path in _PATHS]
    routes.append(Route(_THREAD + "/events", guarded(events), methods=["GET"]))
    routes += Chat(api, context, max_body, heartbeat).routes()
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse})


async def _refuse(request: Request, error: Exception) -> Response:
    """Say in a sentence what the routes say in two words."""
    assert isinstance(error, HTTPException), "it is registered for these"
    words = {404: "There is nothing at this path.", 405: f"This path does not take {request.method}."}
    detail = words.get(error.status_code, error.detail)
    return refusal(request, HTTPException(error.status_code, detail, error.headers))
