"""Facts about a history: they are those of all its messages, and a step looks at the new messages only."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from agent_core import Agent, action_tool
from agent_core.context import ContextRequest, ContextResult, TrimOldest
from agent_core.context.policy import Weighed
from agent_core.context.token_meter import at_most
from agent_core.domain.messages import ATTACHMENT
from agent_core.domain.model_adapter import ModelRequest
from agent_core.runners.history import History, call_ids_of
from agent_core.runners.history_cache import EndedTurn, HistoryCache, OpenTurn
from agent_core.runners.request_builder import RequestBuilder
from agent_core.store.store import Store
from agent_core.testing import ScriptedModel

Json = dict[str, Any]


def called(name: str, id: str, **more: Any) -> Json:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}, **more}],
    }


SIGNED = {"role": "assistant", "content": "Hm.", "signed": [{"type": "reasoning", "text": "Hm."}]}
PICTURE = {"type": "image_url", "image_url": {"url": f"{ATTACHMENT}{'0' * 64}"}}
MESSAGES: list[Json] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "wörds \udcff"},
    {"role": "context", "data": {"dropped_messages": 1}},
    called("look", "c1"),
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "seen"}, PICTURE]},
    {"role": "user", "content": ""},
    {"role": "context", "data": {"dropped_messages": 3}},
    called("pay", "c2", signed={"google": {"thoughtSignature": "s"}}),
    {"role": "tool", "tool_call_id": "c2", "content": "paid"},
    SIGNED,
]


@pytest.mark.parametrize("place", range(len(MESSAGES) + 1))
def test_facts_do_not_depend_on_how_a_history_was_put_together(place: int):
    whole = History.of(MESSAGES, {"c1", "c2"})
    assert History.of(MESSAGES[:place], {"c1"}).plus(MESSAGES[place:], {"c2"}) == whole
    assert History.of(MESSAGES[:place], {"c1", "c2"}).plus(MESSAGES[place:]) == whole
    one_by_one = History([])
    for message in MESSAGES:
        one_by_one = one_by_one.plus([message])
    assert one_by_one == History.of(MESSAGES)


def test_facts_of_a_history():
    history = History.of(MESSAGES)
    assert history.messages == [message for message in MESSAGES if message["role"] != "context"]
    assert history.note == {"dropped_messages": 3}
    assert (history.has_files, history.is_signed) == (True, True)
    assert history.tool_names == {"look", "pay"}
    assert history.most_tokens == at_most(history.messages, [])


def test_empty_history_has_no_facts():
    assert History.of([]) == History([])
    nothing = History.of([{"role": "user", "content": "Hi."}])
    assert (nothing.note, nothing.has_files, nothing.is_signed) == (None, False, False)


def test_a_history_is_never_changed_in_place():
    before = History.of(MESSAGES[:2], {"c"})
    kept = list(before.messages), set(before.call_ids)
    before.plus(MESSAGES[2:], {"d"})
    assert (before.messages, before.call_ids) == kept


def test_ids_of_hosted_calls_count_as_the_ids_of_a_step():
    assert call_ids_of([{"type": "text"}, {"toolCallId": "h", "providerExecuted": True}]) == {"h"}


class Watched(Json):
    """Message that counts how often it is looked at."""

    looks = 0

    def get(self, *key: Any) -> Any:
        Watched.looks += 1
        return super().get(*key)

    def __getitem__(self, key: str) -> Any:
        Watched.looks += 1
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        Watched.looks += 1
        return super().__contains__(key)

    def keys(self) -> Any:
        Watched.looks += 1
        return super().keys()

    def values(self) -> Any:
        Watched.looks += 1
        return super().values()


@action_tool
async def look() -> str:
    """Look."""
    return "seen"


class Roomy(ScriptedModel):
    """Model with a window that is never full."""

    async def context_window(self, options: Json) -> int:
        return 1_000_000


async def test_step_of_a_long_thread_looks_at_its_new_messages_only(monkeypatch: pytest.MonkeyPatch):
    unchecked: Any = inspect.unwrap(ModelRequest.__init__)  # the tests' own check looks at every message
    monkeypatch.setattr(ModelRequest, "__init__", unchecked)
    agent = Agent("a", Roomy([]), tools=[look])
    old: list[Json] = [Watched(m) for n in range(500) for m in _turn(n)]
    cache, parts = HistoryCache(), [{"type": "text", "text": "Hm."}]
    cache.put("t", OpenTurn(1, History.of(old), parts, set()))
    Watched.looks = 0
    history = cache.for_step("t", 2)
    assert history is not None
    cache.put("t", EndedTurn(2, 1, None, history))
    ended = cache.ended_turn("t", 3, None)
    assert ended is not None
    history = ended.followed_by([])
    assert history is not None
    async with Store("sqlite://") as store:
        prepared = await RequestBuilder(store.writer, store.reads, store.clock).prepare(agent, "t", history)
    assert Watched.looks == 0
    assert prepared.request.messages == [*old, {"role": "assistant", "content": "Hm."}]


def _turn(n: int) -> list[Json]:
    return [
        {"role": "user", "content": "q"},
        called("look", f"c{n}"),
        {"role": "tool", "tool_call_id": f"c{n}", "content": "seen"},
        {"role": "assistant", "content": "I saw it."},
    ]


async def test_names_that_the_agent_does_not_know_are_still_made_plain():
    agent = Agent("a", Roomy([]), tools=[look])
    outcome = {"role": "tool", "tool_call_id": "c", "content": "seen"}
    history = History.of([{"role": "user", "content": "q"}, called("Look!", "c"), outcome])
    async with Store("sqlite://") as store:
        prepared = await RequestBuilder(store.writer, store.reads, store.clock).prepare(agent, "t", history)
    sent = prepared.request.messages[1]["tool_calls"][0]["function"]["name"]
    assert sent != "Look!"
    assert history.messages[1]["tool_calls"][0]["function"]["name"] == "Look!"


async def test_policy_that_changes_the_messages_in_place_is_weighed_anew():
    """A bound that was counted before must not let a message pass that a policy has added."""

    async def wordy(request: ContextRequest) -> ContextResult:
        request.messages.insert(0, {"role": "user", "content": "word " * 1_000})
        return await TrimOldest(max_tokens=100)(request)

    agent = Agent("a", ScriptedModel([]), context=wordy)
    history = History.of([{"role": "user", "content": "q"}])
    async with Store("sqlite://") as store:
        prepared = await RequestBuilder(store.writer, store.reads, store.clock).prepare(agent, "t", history)
    assert prepared.request.messages == [{"role": "user", "content": "q"}]
    assert history.messages == [{"role": "user", "content": "q"}], "the policy got a copy"


def test_bound_of_other_messages_is_ignored():
    long, short = [{"role": "user", "content": "x" * 1_000}], [{"role": "user", "content": "x"}]
    request = ContextRequest(long, [], ScriptedModel([]), weighed=Weighed(short, 1, 9))
    assert request.at_most() == at_most(long, [])
    assert ContextRequest(short, [], ScriptedModel([]), weighed=Weighed(short, 1, 9)).at_most() == 9
