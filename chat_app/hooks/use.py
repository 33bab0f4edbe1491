"""Hooks that return state classes, one for each API, page and kind."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from typing import Any

import reflex as rx

from agent_core import Message
from agent_core.errors import ValidationError
from chat_app.hooks.apis import ApiSource, Context, HookOptions, api_name, check_api
from chat_app.hooks.chat import Chat, ChatOptions, ThreadOnly
from chat_app.hooks.thread_list import ThreadListing
from chat_app.thread.live_text import LiveText

_made: dict[tuple[Any, ...], type[Any]] = {}
_names: set[str] = set()


def use_agent_chat(
    api: ApiSource = None,
    *,
    route: str | None = None,
    name: str = "",
    context: Context | None = None,
    **new_thread: Any,
) -> type[Chat]:
    """Return the state class of a page that shows a thread of `api`.

    Equal arguments return the same class; classes with different arguments share no state.

    Args:
        api: the API from `define_agent_api`, a function that returns it, or None for the API of the app.
        route: the route of the page, with "[thread_id]" in it, to which a new thread redirects; None opens
            a new thread in place.
        name: distinguishes two chats on one page.
        context: a function from the tab's state to the `CallContext` of its user, used for every call;
            None uses the function of `register_identity`, if there is one.
        **new_thread: arguments of `create_thread`, such as `agent=`, `title=` and `metadata=`.

    Raises:
        ValidationError: `api` is not an API, `route` has no "[thread_id]", or `context` is not a plain
            function.
    """
    return _use(Chat, api, route, name, context, new_thread)


def use_messages(api: ApiSource = None, **options: Any) -> type[Chat]:
    """Return the state class of a thread with its messages; the options are those of `use_agent_chat`."""
    return use_agent_chat(api, **options)


def use_thread(api: ApiSource = None, **options: Any) -> type[Chat]:
    """Return the state class of a thread without its messages, which are not sent to the page."""
    given = options.pop("route", None), options.pop("name", ""), options.pop("context", None)
    return _use(ThreadOnly, api, *given, options)


def use_thread_status(api: ApiSource = None, **options: Any) -> type[Chat]:
    """Return the state class of `use_thread`, which has the thread's status."""
    return use_thread(api, **options)


def use_thread_list(
    api: ApiSource = None, *, name: str = "", context: Context | None = None
) -> type[ThreadListing]:
    """Return the state class of a page that lists the threads of `api`.

    Args:
        api, name, context: see `use_agent_chat`.

    Raises:
        ValidationError: `api` is not an API, or `context` is not a plain function.
    """
    _check_context(context)
    key = (ThreadListing, check_api(api), name, context)
    if key not in _made:
        _made[key] = _state(ThreadListing, HookOptions(api, context), name)
    return _made[key]


def get_message_key(message: Any) -> Any:
    """Return the id of a message, as the key of its row.

    Args:
        message: a row of `messages`, a `Message`, its plain JSON, or a Var of any of them.
    """
    if isinstance(message, Message):
        return message.id
    return message["id"] if isinstance(message, Mapping) or _is_dict_var(message) else message.id


def _is_dict_var(message: Any) -> bool:
    kind = getattr(message, "_var_type", None)
    return isinstance(message, rx.Var) and getattr(kind, "__origin__", kind) is dict


def _use(
    kind: type[Chat],
    api: ApiSource,
    route: str | None,
    name: str,
    context: Context | None,
    new_thread: dict[str, Any],
) -> type[Chat]:
    _check_context(context)
    if route is not None and "[thread_id]" not in route:
        raise ValidationError(f"The route {route!r:.60} has no [thread_id] in it, such as /desk/[thread_id].")
    key = (kind, check_api(api), route, name, context, json.dumps(new_thread, sort_keys=True))
    if key not in _made:
        _made[key] = _make(kind, name, ChatOptions(api, context, route, new_thread))
    return _made[key]


def _check_context(context: Context | None) -> None:
    if context is not None and (not callable(context) or inspect.iscoroutinefunction(context)):
        raise ValidationError("context= is a plain function, from a tab's state to a CallContext or None.")


def _make(kind: type[Chat], name: str, options: ChatOptions) -> type[Chat]:
    """Create the two state classes of a chat: one for its rows, one for its live text."""
    chat = _state(kind, options, name)
    named = {"__module__": __name__, "__doc__": LiveText.__doc__}
    live = type(f"{chat.__name__}Live", (LiveText, rx.State), named)
    chat.live, live.shown = live, chat
    return chat


def _state(kind: type[Any], options: HookOptions, name: str) -> Any:
    """Create a state class with a name of its own."""
    called = _unique(f"{kind.__name__} {api_name(options.api)} {name}")
    made = type(called, (kind, rx.State), {"__module__": __name__, "__doc__": kind.__doc__})
    made.options = options
    return made


def _unique(words: str) -> str:
    """Return a unique class name, equal in all processes that create the same classes in the same order."""
    plain = "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", words))
    name = next(name for n in range(1, 10_000) if (name := f"{plain}{n if n > 1 else ''}") not in _names)
    _names.add(name)
    return name
