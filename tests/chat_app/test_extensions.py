"""Test extensions of the app: registration, refusals with a sentence, and their part in the build."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import reflex as rx

import chat_app.chat_app  # noqa: F401 (registers the pages of the app)
from agent_core import Agent, mcp_tools
from agent_core.errors import ValidationError
from agent_core.testing import ScriptedModel
from chat_app import extension_modules, extensions
from chat_app.extensions import (
    Content,
    register_agent,
    register_identity,
    register_lifespan,
    register_limits,
    register_mcp,
    register_page,
    register_tool_view,
)
from chat_app.inbox.inbox import Inbox
from chat_app.model.model_choice import choose_model
from chat_app.server import frontend
from chat_app.server.settings import Settings, read_settings
from chat_app.session.app_agent import app_agent
from chat_app.shell.frame import events_of, framed
from chat_app.thread.message_views import MessageContext, tool_view
from chat_app.thread.open_thread import OpenThreadText
from chat_app.thread_list.thread_list import ThreadList
from tests.chat_app.support import Serve, Tab

TINY = Path(__file__).parents[1] / "support" / "mcp" / "server.py"
APP_PAGES = extensions.PAGES


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Isolate the registrations of each test."""
    for name in ("PAGES", "AGENTS", "OFFERED", "TOOL_VIEWS", "LIFESPANS", "MCP_SERVERS"):
        getattr(extensions, name)
        monkeypatch.setattr(extensions, name, {})
    monkeypatch.setattr(extensions, "ASSISTANT_SERVERS", [])
    monkeypatch.setattr("chat_app.shell.sidebar.PAGES", extensions.PAGES)
    monkeypatch.setattr("chat_app.thread.message_views.TOOL_VIEWS", extensions.TOOL_VIEWS)
    monkeypatch.setattr("chat_app.session.app_runtime.AGENTS", extensions.AGENTS)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """File of a module outside the app."""
    path = tmp_path / "mine_for_a_test.py"
    path.write_text("from chat_app.extensions import register_tool_view\nregister_tool_view('t', str)\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop(path.stem, None)


def poet() -> Agent:
    return Agent("poet", ScriptedModel(lambda messages: ["Oh!"]))


def test_a_page_is_a_decorated_function() -> None:
    @register_page("/desk", on_load=print)
    def help_desk() -> rx.Component:
        return rx.el.p("Help")

    page = extensions.PAGES["/desk"]
    assert (page.title, page.on_load, page.component) == ("Help desk", (print,), help_desk)
    register_page("/desk", "Again")(help_desk)  # like a reload of its module
    with pytest.raises(ValidationError, match="Two pages"):
        register_page("/desk")(lambda: rx.el.p("Another"))
    with pytest.raises(ValidationError, match="slash"):
        register_page("desk")


def test_an_agent_has_a_name_of_its_own() -> None:
    agent = poet()
    register_agent(agent, "Poet")
    register_agent(agent, "Poet")
    register_agent(Agent.factory(lambda ctx, thread_id: poet(), name="hidden"), offered=False)
    assert extensions.OFFERED == {"poet": "Poet"}
    assert set(extensions.AGENTS) == {"poet", "hidden"}
    for other in (poet(), Agent("assistant", ScriptedModel([]))):
        with pytest.raises(ValidationError, match="another name"):
            register_agent(other)
    with pytest.raises(ValidationError, match="takes an Agent"):
        register_agent(print)  # pyright: ignore[reportArgumentType]


def test_a_tool_has_one_view() -> None:
    register_tool_view("t", str)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValidationError, match="two views"):
        register_tool_view("t", repr)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValidationError, match="function"):
        register_tool_view("u", "no")  # pyright: ignore[reportArgumentType]


MISSPELT: Any = {"titel": "X"}
NOTHING: Any = lambda: rx.el.p("X")  # noqa: E731
ONE: Any = lambda state: rx.el.p("X")  # noqa: E731


@pytest.mark.parametrize(
    ("register", "says"),
    [
        (lambda: register_page("/x", **MISSPELT), "has no option 'titel'; did you mean title?"),
        (lambda: register_agent(poet(), **MISSPELT), "did you mean title?"),
        (lambda: register_page("/x")(ONE), r"The page at /x must take \(\), not \(state\)"),
        (lambda: register_tool_view("v", NOTHING), r"must take \(call\)"),
        (lambda: register_identity(NOTHING), r"must take \(headers\)"),
        (lambda: register_limits(NOTHING), r"must take \(ctx\)"),
    ],
)
def test_a_misspelt_option_and_a_function_of_other_arguments_are_refused(
    register: Callable[[], object], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        register()


def test_only_a_tool_with_a_registered_view_receives_its_values_twice() -> None:
    part = {"type": "tool-t", "toolCallId": "c", "state": "output-available", "input": {"a": 1}, "output": 7}
    assert (tool_view(part, MessageContext()).input, tool_view(part, MessageContext()).output) == ({}, {})
    register_tool_view("t", str)  # pyright: ignore[reportArgumentType]
    row = tool_view(part, MessageContext())
    assert (row.input, row.output) == ({"a": 1}, {"value": 7})


def test_modules_are_imported_in_order_or_refused_before_anything_is_built(module: Path) -> None:
    extension_modules.load([module.stem])
    assert {"t": str} == extensions.TOOL_VIEWS
    for missing in ("no_such_module", "no_such.module", "mine_for_a_test.no_package"):
        with pytest.raises(ValidationError, match=missing):
            extension_modules.require([missing])


def test_a_changed_module_is_another_page_to_build(module: Path) -> None:
    files = list(extension_modules.sources([module.stem]))
    assert files == [module]
    before = frontend.fingerprint(files)
    assert before != frontend.fingerprint()
    module.write_text("# changed")
    assert frontend.fingerprint(files) != before


def test_every_file_of_a_package_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pack_for_a_test"
    for name in ("__init__.py", "look.css", "words/fr.json", "__pycache__/__init__.cpython-311.pyc"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    monkeypatch.syspath_prepend(tmp_path)
    found = list(extension_modules.sources(["pack_for_a_test"]))
    assert [path.name for path in found] == ["__init__.py", "look.css", "fr.json"]
    assert frontend.fingerprint(found) != frontend.fingerprint()


def test_the_names_of_modules_are_checked_when_they_are_read() -> None:
    assert read_settings({"CHAT_EXTENSIONS": " a.b , c,"}).extensions == ("a.b", "c")
    with pytest.raises(ValidationError, match="CHAT_EXTENSIONS"):
        read_settings({"CHAT_EXTENSIONS": "a b"})


async def test_a_registered_agent_answers_the_threads_that_choose_it(serve: Serve, tab: Tab) -> None:
    register_agent(poet(), "Poet")
    async with serve([["Plain."], ["Plain again."]]) as shared:
        await tab.thread.choose_agent("poet")
        await tab.thread.send("Hi", "msg_1", [])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert (tab.thread.agent, tab.thread.turn[-1].parts[-1].text) == ("poet", "Oh!")
        assert not tab.thread.may_choose_model
        await tab.thread.choose_agent("assistant")
        await tab.thread.send("And?", "msg_2", [])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.agent == "assistant")
        assert tab.thread.turn[-1].parts[-1].text == "Plain."
        await tab.thread.choose_agent("nobody")
        assert "nobody" in tab.thread.notice


async def test_a_lifespan_is_open_while_agents_run(serve: Serve) -> None:
    log: list[str] = []

    @register_lifespan
    @asynccontextmanager
    async def client() -> AsyncGenerator[None]:
        log.append("opened")
        yield
        log.append("closed")

    assert register_lifespan(client) is client  # like a reload of its module
    async with serve([["Plain."]]) as shared:
        thread = await shared.api.create_thread("Hi")
        await shared.api.wait_until_idle(thread.id, 20)
        assert log == ["opened"]
    assert log == ["opened", "closed"]


async def test_a_lifespan_that_fails_keeps_the_app_from_starting(serve: Serve) -> None:
    @register_lifespan
    @asynccontextmanager
    async def client() -> AsyncGenerator[None]:
        raise OSError("The warehouse does not answer.")
        yield

    with pytest.raises(OSError, match="warehouse"):
        async with serve([]):
            raise AssertionError("it started")


async def test_only_a_function_that_returns_a_context_manager_is_a_lifespan() -> None:
    async def generator() -> AsyncGenerator[None]:
        yield

    async def coroutine() -> None: ...

    for wrong in (generator, coroutine, "no"):
        with pytest.raises(ValidationError, match="asynccontextmanager"):
            register_lifespan(wrong)  # pyright: ignore[reportArgumentType, reportCallIssue]


async def test_the_agent_of_the_app_has_the_tools_of_a_registered_mcp_server(tmp_path: Path) -> None:
    command = [sys.executable, TINY, tmp_path / "log"]
    shop = register_mcp(mcp_tools(command, name="tiny", prefix="tiny"))
    assert register_mcp(shop) is shop
    own = register_mcp(mcp_tools(command, name="other", prefix="other"), assistant=False)
    settings = Settings(data_dir=tmp_path)

    async def read(thread_id: str) -> None:
        return None

    factory = app_agent(settings, [choose_model(settings, {})], read)
    async with extensions.opened():
        assert (shop.status, own.status) == ("connected", "connected")
        agent = await factory.resolve(None, "thread_1")
        assert {name for name in agent.tools if name.startswith(("tiny", "other"))} == {
            tool.name for tool in shop.tools
        }
        assert "calculator" in agent.tools
        shop.tools = shop.tools[:1]  # as after a change on the server
        agent = await factory.resolve(None, "thread_1")
        assert [name for name in agent.tools if name.startswith("tiny")] == [shop.tools[0].name]
    assert shop.status == "closed"


def test_mcp_servers_have_names_of_their_own() -> None:
    register_mcp(mcp_tools("http://127.0.0.1:9/mcp", name="shop"))
    with pytest.raises(ValidationError, match="Two MCP servers are named 'shop'"):
        register_mcp(mcp_tools("http://127.0.0.1:9/mcp", name="shop"))
    with pytest.raises(ValidationError, match="result of mcp_tools"):
        register_mcp("http://127.0.0.1:9/mcp")  # pyright: ignore[reportArgumentType]


def test_the_sidebar_links_to_a_page_that_asks_for_it() -> None:
    @register_page("/desk", nav=True)
    def help_desk() -> Content:
        return Content(rx.el.p("Help"))

    @register_page("/hidden")
    def hidden() -> Content:
        return Content(rx.el.p("Help"))

    drawn = str(framed(help_desk)().render())
    assert ("nav-desk" in drawn, "nav-hidden" in drawn) == (True, False)
    with pytest.raises(ValidationError, match="for each id"):
        register_page("/desk/[thread_id]", nav=True)


def test_a_changed_colour_of_a_theme_reaches_the_style_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    from chat_app.ui import styles

    before: dict[str, Any] = dict(styles.LIGHT)
    monkeypatch.setitem(styles.LIGHT, "accent", "#123456")
    assert "--accent:#123456;" in styles.token_sheet()
    assert f"--page:{before['page']};" in styles.token_sheet()


def test_content_is_framed_and_a_component_is_the_whole_page() -> None:
    @register_page("/desk", on_load=[print, ThreadList.open])
    def desk() -> Content:
        return Content(rx.el.p("Help"), bar=rx.el.h1("Desk"), drawer=rx.el.aside("Log"))

    @register_page("/link", on_load=print, alone=True)
    def link() -> rx.Component:
        return rx.el.p("Help")

    page, linked = extensions.PAGES["/desk"], extensions.PAGES["/link"]
    drawn = str(framed(page.component)().render())
    assert all(words in drawn for words in ("Help", "Desk", "Log", "sidebar"))
    assert str(framed(linked.component)().render()) == str(link().render())
    assert events_of(page) == [OpenThreadText.leave, Inbox.open, print, ThreadList.open]
    assert events_of(linked) == [print]


def test_the_pages_of_the_app_are_registered_like_those_of_others() -> None:
    for route in ("/", "/chat/[thread_id]", "/inbox", "/archive", "/settings", "/usage", "/schedules"):
        assert OpenThreadText.open in events_of(APP_PAGES[route]) or OpenThreadText.leave in events_of(
            APP_PAGES[route]
        ), route
    assert ThreadList.open not in events_of(APP_PAGES["/share/[token]"]), "it is for people from outside"
