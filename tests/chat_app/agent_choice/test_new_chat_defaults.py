"""Test the defaults of new chats: each new chat takes them over, and choices for the chat override them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import reflex as rx

from agent_core import Agent
from agent_core.testing import ScriptedModel
from chat_app.agent_choice.new_chat_defaults import KEY, NewChatDefaults, stored_defaults
from chat_app.extensions import OFFERED
from chat_app.model.answer_options import AnswerOptions
from chat_app.model.model_choice import ModelChoice
from chat_app.server.settings import Settings
from chat_app.session.service import Service, open_service
from chat_app.thread.open_thread import OpenThread
from tests.support.app_databases import app_database

Tabs = Callable[[], Awaitable[tuple[NewChatDefaults, OpenThread]]]
OFFERS = [ModelChoice("a", ""), ModelChoice("b", "")]


@pytest.fixture
async def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    monkeypatch.setitem(OFFERED, "poet", "The poet")
    async with app(tmp_path) as service:
        yield service


def app(folder: Path) -> Any:
    settings = Settings(database_url=app_database(folder), data_dir=folder)
    agent = Agent("assistant", ScriptedModel(lambda _: ["Hello."]))
    return open_service(settings, OFFERS[0], agent, models=OFFERS)


@pytest.fixture
def tab() -> Tabs:
    async def open_tab() -> tuple[NewChatDefaults, OpenThread]:
        root: Any = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
        defaults, thread = await root.get_state(NewChatDefaults), await root.get_state(OpenThread)
        await defaults.open()
        return defaults, thread

    return open_tab


FORM = {"agent": "assistant", "model": "b", "instructions": " Be brief. ", "temperature": "0,5"}
MINE = AnswerOptions("b", "Be brief.", 0.5)


async def test_a_new_chat_takes_over_the_defaults_in_every_tab(shared: Service, tab: Tabs) -> None:
    (settings, here), (_, there_before) = await tab(), await tab()
    await settings.save(FORM)
    assert (settings.notice, settings.saved) == ("", True)
    assert (here.model, here.instructions, here.temperature) == ("b", "Be brief.", "0.5"), (
        "in this tab at once"
    )
    assert there_before.model == "", "until its subscription tells it"
    _, there = await tab()
    await there.send("Hi", "msg_1", [])
    thread = await shared.api.get_thread(there.open_id)
    assert thread is not None
    assert (thread.agent, AnswerOptions.of(thread.metadata)) == ("assistant", MINE)


async def test_choice_for_a_chat_overrides_the_defaults_for_that_chat_only(
    shared: Service, tab: Tabs
) -> None:
    settings, here = await tab()
    await settings.save(FORM)
    await here.choose_model("a")
    await settings.open()  # like a reload
    await here.send("Hi", "msg_1", [])
    thread = await shared.api.get_thread(here.open_id)
    assert thread is not None
    assert AnswerOptions.of(thread.metadata) == AnswerOptions("a", "Be brief.", 0.5)
    await settings.save(FORM | {"instructions": "Be long."})
    assert here.instructions != "Be long.", "an open chat stays as it is"
    here._open("")
    await settings.open()
    assert (here.model, here.instructions) == ("b", "Be long.")


async def test_another_agent_is_taken_over_without_what_only_the_apps_own_takes(
    shared: Service, tab: Tabs
) -> None:
    shared.api.store.agents.add(Agent("poet", ScriptedModel(lambda _: ["A poem."])))
    settings, here = await tab()
    await settings.save(FORM | {"agent": "poet"})
    assert here.agent == "poet"
    await here.send("Hi", "msg_1", [])
    thread = await shared.api.get_thread(here.open_id)
    assert thread is not None
    assert (thread.agent, thread.metadata) == ("poet", {})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"temperature": "hot"}, "0 to 2"),
        ({"model": "x"}, "not offered"),
        ({"instructions": "x" * 20_001}, "most"),
    ],
)
async def test_unusable_defaults_are_reported_and_change_nothing(
    shared: Service, tab: Tabs, wrong: dict[str, str], words: str
) -> None:
    settings, _ = await tab()
    await settings.save(FORM)
    await settings.save(FORM | wrong)
    assert words in settings.notice
    assert not settings.saved
    assert stored_defaults(await shared.api.preferences.get()) == ("assistant", MINE)


async def test_defaults_outlive_a_restart_but_for_models_no_longer_offered(
    tmp_path: Path, tab: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app(tmp_path):
        settings, _ = await tab()
        await settings.save(FORM)
    async with app(tmp_path) as service:
        settings, here = await tab()
        assert (settings.model, here.instructions) == ("b", "Be brief.")
        await service.api.preferences.change({KEY: {"agent": "gone", "answers": {"model": "gone"}}})
        settings, here = await tab()
        assert (settings.agent, here.agent, here.model) == ("assistant", "assistant", "")
        await service.api.preferences.change({KEY: "nonsense"})
        assert stored_defaults(await service.api.preferences.get()) == ("assistant", AnswerOptions())


async def test_choice_for_a_new_chat_outlives_the_process_of_its_tab(shared: Service, tab: Tabs) -> None:
    """The browser has it: a reconnected tab sends it to its new state, before the page's events."""
    settings, here = await tab()
    await settings.save(FORM)
    await here.choose_agent("poet")
    await here.choose_model("a")
    again, there = await tab()
    there.unsent_choice = here.unsent_choice
    await again.open()
    assert (there.agent, there.model, there.instructions, there.temperature) == (
        "poet",
        "a",
        "Be brief.",
        "0.5",
    )
    there.agent = "assistant"
    await there.send("Hi", "msg_1", [])
    assert there.unsent_choice == "", "the next new chat begins with the defaults"


@pytest.mark.parametrize(
    "found",
    [
        "",
        "{",
        "null",
        "7",
        "[]",
        '["nobody", "a", "", ""]',
        '["poet", "z", "", ""]',
        '["poet", "a", "", "hot"]',
        "[[], {}, 1, null]",
    ],
)
async def test_choice_that_cannot_be_used_is_passed_over(shared: Service, tab: Tabs, found: str) -> None:
    settings, here = await tab()
    await settings.save(FORM)
    here.unsent_choice = found
    await settings.open()
    assert (here.agent, here.model, here.instructions) == ("assistant", "b", "Be brief.")
