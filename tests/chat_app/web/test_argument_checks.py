"""Test the argument checks of socket events: no event leads to a traceback, whatever its arguments are."""

from __future__ import annotations

import asyncio
import inspect
import logging
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
import reflex as rx
from reflex_base.registry import RegistrationContext

import chat_app.chat_app  # the pages register every state of the app
from chat_app.hooks import use_agent_chat
from chat_app.session.service import Service
from chat_app.thread.open_thread import OpenThread
from chat_app.web.argument_checks import ArgumentCheck
from tests.chat_app.support import Serve
from tests.support.agents import finished

Page = use_agent_chat(None)
app = chat_app.chat_app.app


def table() -> dict[str, Any]:
    """Return the event handlers of the app's states and of a page with hooks, by name."""
    handlers = RegistrationContext.get().event_handlers
    return {
        name: found
        for name, found in sorted(handlers.items())
        if found.handler.fn.__module__.startswith("chat_app.") and found.handler.fn.__name__ != "crash"
    }


DEEP: Any = None
for _ in range(2_000):
    DEEP = [DEEP]

JUNK: list[Any] = [
    *(None, True, 0, -1, 2**70, 1.5, "", "x", "\0", "a\ud800b", "x" * 300_000, "../..", "\u202e"),
    *([], [None], [[]], ["x"], [{}], [{"url": 5}], [{"url": "attachment:x", "mediaType": []}], DEEP),
    *({}, {"": None}, {"answer": {}}, {"answer": "yes"}, {"answer": "yes", "call_id": 5, "thread_id": []}),
    *(
        {"temperature": [1]},
        {"name": {"a": 1}},
        {"a": DEEP},
        {"call_id": "x", "answer": "y", "thread_id": "\0"},
    ),
]


async def sent(root: Any, name: str, found: Any, payload: Any) -> None:
    """Check an event with the middleware, and run its handler if the event passes."""
    event = SimpleNamespace(name=name, payload=payload)
    if await ArgumentCheck().preprocess(app, root, event) is not None:
        return
    state = await root.get_state(found.states[0])
    result = found.handler.fn(state, **event.payload)
    if inspect.isawaitable(result):
        await asyncio.wait_for(result, 20)
    elif inspect.isasyncgen(result):
        async for _ in result:
            pass


def payloads(handler: Any) -> list[Any]:
    names = list(inspect.signature(handler).parameters)[1:]
    every = [dict.fromkeys(names, junk) for junk in JUNK]
    single = [{name: junk if name == odd else "x" for name in names} for odd in names for junk in JUNK[:14]]
    wrong = [{"nobody": 1}, {}, [], None, "x", {5: 1}, dict.fromkeys([*names, "more"], "x")]
    return [*(every if names else []), *(single if len(names) > 1 else []), *wrong]


async def tab_of(service: Service) -> Any:
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    thread = await finished(service.api, await service.api.create_thread("Hi"))
    for state in (OpenThread, Page):
        (await root.get_state(state))._open(thread.id)
    return root


async def test_no_event_of_the_table_leads_to_a_traceback(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """New handlers are included automatically; background handlers take text, numbers and flags only."""
    caplog.set_level(logging.ERROR)
    handlers = table()
    assert len(handlers) > 60
    wrong: list[str] = []
    async with serve(lambda _: ["Yes."]) as service:
        root = await tab_of(service)
        for name, found in handlers.items():
            if found.handler.is_background:
                hints = get_type_hints(found.handler.fn)
                names = list(inspect.signature(found.handler.fn).parameters)[1:]
                assert {hints[each] for each in names} <= {str, int, bool}, name
                continue
            for payload in payloads(found.handler.fn):
                try:
                    await sent(root, name, found, payload)
                except Exception as error:
                    wrong.append(f"{found.handler.fn.__qualname__}({payload!r:.90}): {error!r:.120}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_refused_event_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    name = next(name for name in table() if name.endswith("open_thread.send"))
    event = SimpleNamespace(name=name, payload={"text": 5, "message_id": "m", "files": []})
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    assert await ArgumentCheck().preprocess(app, root, event) is not None
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.endswith("text has the wrong type")


async def test_text_is_cleaned_before_a_handler_gets_it() -> None:
    name = next(name for name in table() if name.endswith("open_thread.send"))
    event = SimpleNamespace(
        name=name, payload={"text": "a\0b\ud800", "message_id": "m", "files": [{"\0": "\0"}]}
    )
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    assert await ArgumentCheck().preprocess(app, root, event) is None
    assert event.payload["text"] == "a\ufffdb\ufffd"
    assert event.payload["files"] == [{"\ufffd": "\ufffd"}]


@pytest.mark.parametrize(
    ("end", "payload", "passes"),
    [
        (".setvar", {"var_name": "open_id", "value": "x"}, False),
        (".update_vars_internal", {"vars": {"a.b": {"x": 1}}}, False),
        (".update_vars_internal", {"vars": {"a.b": "x"}}, True),
        (".handle_frontend_exception", {"info": 5, "component_stack": ""}, False),
        (".handle_frontend_exception", {"info": "x", "component_stack": "y"}, True),
    ],
)
async def test_events_of_reflex_are_looked_at_as_well(end: str, payload: Any, passes: bool) -> None:
    names = [name for name in RegistrationContext.get().event_handlers if name.endswith(end)]
    assert names
    root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    event = SimpleNamespace(name=names[0], payload=payload)
    assert (await ArgumentCheck().preprocess(app, root, event) is None) is passes


def test_the_app_asks_for_the_arguments_first() -> None:
    assert isinstance(app._middlewares[0], ArgumentCheck)
