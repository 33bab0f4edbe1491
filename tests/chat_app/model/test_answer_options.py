"""Test the answer options of a thread: chosen on the page, stored in the thread, applied at the next step."""

from __future__ import annotations

from typing import Any

import pytest

from agent_core import Agent, Runtime, define_agent_api
from agent_core.errors import ValidationError
from agent_core.testing import ScriptedModel
from chat_app.model.answer_options import MAX_INSTRUCTIONS, AnswerOptions, parse_options
from chat_app.model.model_choice import DEMO_MODEL, ModelChoice, offered_models
from chat_app.server.settings import Settings
from chat_app.session import app_agent as answering_module
from chat_app.session.app_agent import app_agent
from tests.chat_app.support import Serve, Tab

NOWHERE = "http://127.0.0.1:9/v1"


def test_choices_come_back_from_the_metadata() -> None:
    chosen = AnswerOptions("openai/x", "Be brief.", 0.5)
    assert AnswerOptions.of({"schedule": "s"} | chosen.metadata()) == chosen
    assert AnswerOptions().metadata() == {"answers": {}}


@pytest.mark.parametrize(
    "found", [None, 7, "x", {"model": 1, "instructions": [], "temperature": "hot"}, {"temperature": 9}]
)
def test_unusable_choices_count_as_not_chosen(found: Any) -> None:
    assert AnswerOptions.of({"answers": found}) == AnswerOptions()


def test_typed_options_are_read_or_refused_with_a_sentence() -> None:
    assert parse_options("m", "  Hi  ", "0,7") == AnswerOptions("m", "Hi", 0.7)
    assert parse_options("m", "", " ").temperature is None
    for typed in ("hot", "-1", "2.1", "nan", "inf"):
        with pytest.raises(ValidationError, match="0 to 2"):
            parse_options("", "", typed)
    with pytest.raises(ValidationError, match="most"):
        parse_options("", "x" * (MAX_INSTRUCTIONS + 1), "")


def test_the_default_is_offered_first_the_demo_last_and_nothing_twice() -> None:
    keys = {"MISTRAL_API_KEY": "x", "OPENAI_API_KEY": "x"}
    mine = ModelChoice("openai/gpt-5-mini", "mine", {"api_key": "y"})
    offers = offered_models(Settings(), keys, mine, ollama_url=NOWHERE)
    assert [offer.name for offer in offers] == [mine.name, "mistral/mistral-small-latest", DEMO_MODEL]
    assert offers[0] is mine
    demo = ModelChoice(DEMO_MODEL, "as CHAT_MODEL says")
    assert offered_models(Settings(), keys, demo, ollama_url=NOWHERE)[0] is demo


async def test_each_step_is_answered_as_the_thread_says_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model chosen while the thread runs answers the next step."""
    asked: list[tuple[str, str, float | None]] = []

    def build(
        choice: ModelChoice, settings: Settings, *, instructions: str, temperature: float | None
    ) -> Agent:
        def turn(_: Any) -> list[Any]:
            asked.append((choice.name, instructions, temperature))
            return ["Yes."]

        return Agent("assistant", ScriptedModel(turn))

    monkeypatch.setattr(answering_module, "build_agent", build)
    offers = [ModelChoice("a", ""), ModelChoice("b", "")]
    async with Runtime("sqlite://") as runtime:
        api = define_agent_api(
            runtime, app_agent(Settings(), offers, lambda thread_id: api.get_thread(thread_id))
        )
        thread = await api.create_thread("One")
        await api.wait_until_idle(thread.id, 20)
        for answers in (AnswerOptions("b", "Be brief.", 0.2), AnswerOptions("gone")):
            await api.update_thread(thread.id, metadata=answers.metadata())
            await api.send_message(thread.id, "Two")
            await api.wait_until_idle(thread.id, 20)
        assert asked == [("a", "", None), ("b", "Be brief.", 0.2), ("a", "", None)]


async def test_a_person_chooses_before_and_after_the_thread_begins(serve: Serve, tab: Tab) -> None:
    async with serve([["One."], ["Two."]]) as shared:
        await tab.thread.choose_answers({"instructions": "Be brief.", "temperature": "1"})
        await tab.thread.choose_model("nobody/offers-it")
        assert (tab.thread.instructions, tab.thread.temperature, tab.thread.model) == ("Be brief.", "1", "")
        await tab.thread.choose_model(DEMO_MODEL)
        await tab.thread.send("Hi", "msg_1", [])
        thread = await shared.api.wait_until_idle(tab.thread.open_id, 20)
        assert AnswerOptions.of(thread.metadata) == AnswerOptions(DEMO_MODEL, "Be brief.", 1.0)

        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert (tab.thread.model, tab.thread.instructions, tab.thread.temperature) == (
            DEMO_MODEL,
            "Be brief.",
            "1",
        )
        await shared.api.update_thread(thread.id, metadata={**thread.metadata, "mine": 1})
        await tab.thread.choose_answers({"instructions": "", "temperature": "hot"})
        assert "0 to 2" in tab.thread.answers_error
        await tab.thread.choose_answers({"instructions": "", "temperature": ""})
        after = await shared.api.get_thread(thread.id)
        assert after is not None
        assert (after.metadata["mine"], AnswerOptions.of(after.metadata)) == (1, AnswerOptions(DEMO_MODEL))
        assert tab.thread.answers_error == ""


async def test_a_new_chat_after_a_thread_begins_with_nothing_chosen(serve: Serve, tab: Tab) -> None:
    async with serve([["One."]]) as shared:
        await tab.thread.choose_answers({"instructions": "Be brief.", "temperature": ""})
        await tab.thread.send("Hi", "msg_1", [])
        await tab.read(shared, lambda: tab.thread.status == "completed")
        tab.thread._open("")
        assert (tab.thread.instructions, tab.thread.agent) == ("", "assistant")


async def test_a_choice_keeps_the_simultaneous_change_of_another_tab(serve: Serve, tab: Tab) -> None:
    async with serve([["Hi."]]) as shared:
        await tab.thread.send("Hi", "msg_1", [])
        await tab.read(shared, lambda: tab.thread.status == "completed")
        read = shared.api.get_thread

        async def late(*args: Any, **options: Any) -> Any:
            """Read the thread, then let another tab change it before this tab writes."""
            thread = await read(*args, **options)
            await shared.api.change_metadata(args[0], {"vote": "up"})
            return thread

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(shared.api, "get_thread", late)
            await tab.thread.choose_answers({"instructions": "Be brief."})
        thread = await read(tab.thread.open_id)
        assert thread is not None
        assert thread.metadata["vote"] == "up"
        assert AnswerOptions.of(thread.metadata).instructions == "Be brief."
