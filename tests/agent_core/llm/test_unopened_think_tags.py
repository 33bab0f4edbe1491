"""Thoughts whose opening tag was in the prompt: reasoning once closed; other closing tags remain text."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core import AgentApi, Runtime, define_internal_agent_api
from agent_core.agent import Agent
from agent_core.llm.readers.think_tags import UNOPENED, ThoughtParser
from agent_core.streaming.fold import ThreadView, fold
from agent_core.testing import Reasoning, ScriptedModel, ToolUse
from chat_app.thread.follower import Follower
from tests.agent_core.http.test_ai_sdk_chat import look, post, reply
from tests.agent_core.http.test_ai_sdk_chat import said as user
from tests.agent_core.http.test_ai_sdk_stream import post_live
from tests.support.agents import finished, held
from tests.support.databases import prepared
from tests.support.processes.children import FORKED
from tests.support.servers.http_server import serving

THOUGHT = "The user says hi.\n\nI greet back."

ENDS = [
    f"{THOUGHT}\n</think>\n\nHi",
    f"\n{THOUGHT}\n</think>\n\nHi",
    f"{THOUGHT}</think>Hi",
    f"{THOUGHT}</think>\n\nHi",
    f"{THOUGHT} </think>\nHi",
    f"{THOUGHT}</think> Hi",
    f"{THOUGHT}\n</think> Hi",
    f"{THOUGHT}\n</THINK>\r\n\r\nHi",
    f"{THOUGHT}\n</thinking>\nHi",
    f"{THOUGHT}\n</reasoning>\nHi",
    f"{THOUGHT}\n[/THINK]\nHi",
    f"{THOUGHT}\n◁/think▷Hi",
    f"{THOUGHT}\n<|END_THINKING|>Hi",
    f"{THOUGHT}\n</seed:think>Hi",
]

LONGER: dict[str, tuple[str, str]] = {
    "Is `<think>` closed by `</think>`? Yes.\n</think>\n\nYes: `</think>`.": (
        "Is `<think>` closed by `</think>`? Yes.",
        "Yes: `</think>`.",
    ),
    "```\n<think>\n</think>\n```\nThat is it.\n</think>\nThis: </think>": (
        "```\n<think>\n</think>\n```\nThat is it.",
        "This: </think>",
    ),
    "用户说你好。</think>你好！": ("用户说你好。", "你好！"),
    "It is 4.\n</think>\n\n**4**": ("It is 4.", "**4**"),
    "It is 4.</think>**4**": ("It is 4.", "**4**"),
    'I say "4".</think>{"answer": 4}': ('I say "4".', '{"answer": 4}'),
    "I call it.\n</think>\n\n": ("I call it.", ""),
    "I call it.</think>": ("I call it.", ""),
    "</think>\n\nHi": ("", "Hi"),
    "\n\n</think>\n\nHi": ("", "Hi"),
    "a < b, so </b> it is.\n</think>\nHi": ("a < b, so </b> it is.", "Hi"),
}

TEXTS = [
    "The tag `</think>` ends it.",
    "The tag </think> ends it.",
    "It ends with </think>",
    "It ends with `</think>`\nand goes on.",
    'It ends with "</think>".',
    "It ends with (</think>)\n",
    "**</think>** ends it.",
    "</think>, a tag, ends it.",
    "</think> is the tag that ends it.",
    "So:\n\n```xml\n<a>\n</think>\n```\n\nDone.",
    "So:\n\n~~~\n```\n</think>\n~~~\n\nDone.",
    "- one:\n  ```\n  </think>\n  ```\n",
    "> ```\n> </think>\n> ```\n",
    "So:\n\n    </think>\n\nDone.",
    "- </think>\n- </thinking>\n",
    "1. </think>\n2. </thinking>\n",
    "> </think>\n",
    "| </think>\n",
    "Like this:\n<think>\nHm.\n</think>\nor so.",
    "Like this: <think>Hm.</think>\nor so.",
    "<answer>\n<reason>\nIt fits.\n</reason>\n</answer>",
    "<a><b></b></think>\n",
    "a </thin",
    "a </thinker>\nb",
    "a <",
]


def told(pieces: list[str]) -> tuple[str, str]:
    """Return the thought and the text of a whole answer."""
    thoughts, thought, text = ThoughtParser(), "", ""
    for kind, piece in [*[each for cut in pieces for each in thoughts.feed(cut)], *thoughts.end()]:
        if kind == UNOPENED:
            assert piece.startswith(text.strip())
            thought, text = piece, ""
        elif kind == "text":
            text += piece
        else:
            thought += piece
    return thought, text


def cuts(text: str) -> list[list[str]]:
    return [[text], list(text), *([text[:place], text[place:]] for place in range(1, len(text)))]


@pytest.mark.parametrize("answer", ENDS)
def test_a_thought_without_an_opening_tag_ends_at_its_closing_tag(answer: str) -> None:
    assert {told(pieces) for pieces in cuts(answer)} == {(THOUGHT, "Hi")}


@pytest.mark.parametrize(("answer", "expected"), LONGER.items(), ids=list(LONGER))
def test_a_thought_without_an_opening_tag_may_write_about_tags(
    answer: str, expected: tuple[str, str]
) -> None:
    assert {told(pieces) for pieces in cuts(answer)} == {expected}


@pytest.mark.parametrize("answer", TEXTS)
def test_a_closing_tag_that_an_answer_writes_about_is_text(answer: str) -> None:
    assert {told(pieces) for pieces in cuts(answer)} == {("", answer)}


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "</thinking>", "```", "`", "<", ">", "/", "a.", " ", "\n"]),
        max_size=12,
    )
)
def test_a_closing_tag_says_the_same_for_any_cut(pieces: list[str]) -> None:
    assert told(pieces) == told(["".join(pieces)]) == told(list("".join(pieces)))


def test_many_closing_tags_in_a_long_text_are_read_in_time() -> None:
    answer = ("a" * 500 + " </think> b\n") * 2_000
    assert told([answer[place : place + 50] for place in range(0, len(answer), 50)]) == ("", answer)


def kinds(parts: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(part["type"], part["text"]) for part in parts if "text" in part]


EXPECTED = [("reasoning", "I look."), ("reasoning", "It is noon."), ("text", "Noon.")]


async def test_thoughts_without_opening_tags_are_reasoning_in_every_step(path: Path) -> None:
    turns = [
        ["I ", "look.\n</th", "ink>\n\n", ToolUse("look")],
        ["It is noon.", "</think>", "\n\nNo", "on."],
        ["Ok."],
    ]
    model = ScriptedModel(turns)
    async with Runtime(prepared(path)) as runtime:
        api = define_internal_agent_api(runtime, Agent("a", model, tools=[look]))
        view, follower = ThreadView(), Follower()
        thread = await api.create_thread()
        following = asyncio.create_task(follow(api, thread.id, view, follower))
        await api.send_message(thread.id, "What time is it?")
        await finished(api, thread)
        message = (await api.list_messages(thread.id))[-1]
        await following
        assert view.messages[-1]["parts"] == message.parts
        assert kinds(message.parts) == EXPECTED
        reloaded = Follower()
        async for update in api.subscribe(thread.id):
            reloaded.apply(update)
            break
        assert follower.turn() == reloaded.turn()
    async with Runtime(prepared(path)) as runtime:
        api = define_internal_agent_api(runtime, Agent("a", model, tools=[look]))
        await finished(api, (await api.send_message(thread.id, "And now?")).thread_id)
        assert "think" not in str([message["content"] for message in model.requests[-1]])
        assert "I look" not in str([message["content"] for message in model.requests[-1]])


async def follow(api: AgentApi, thread_id: str, view: ThreadView, follower: Follower) -> None:
    begun = False
    async for update in api.subscribe(thread_id):
        view.apply(update)
        follower.apply(update)
        status = view.thread.get("status")
        begun = begun or status == "streaming"
        if begun and status == "completed":
            return


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.db"


def thinking_aloud(go: asyncio.Event) -> Any:
    yield "I gr"
    yield from held(go)
    yield "eet."
    yield "\n</think>\n\nHi"
    yield " there."


async def test_a_client_of_version_7_is_told_to_take_the_thought_back(path: Path) -> None:
    go = asyncio.Event()
    async with serving(path, [thinking_aloud(go)]) as (client, api):
        chunks = await post_live(client, go, user("Hi"))
        assert [chunk["type"] for chunk in chunks].count("reset-step") == 1
        assert fold(chunks) == (await reply(api)).parts
        assert kinds(fold(chunks)) == [("reasoning", "I greet."), ("text", "Hi there.")]


async def test_a_client_of_version_6_resumes_with_the_thought_as_reasoning(path: Path) -> None:
    go = asyncio.Event()
    async with serving(path, [thinking_aloud(go)]) as (client, api):
        client.headers["x-ai-sdk"] = "6.0.326"
        chunks = await post_live(client, go, user("Hi"))
        assert chunks[-1]["type"] == "error"
        assert not any(chunk["type"] == "reset-step" for chunk in chunks)
        again = await post(client, user("Hi"))
        assert not any(chunk["type"] == "reset-step" for chunk in again)
        assert fold(again) == (await reply(api)).parts


async def test_a_thought_apart_rules_out_one_without_an_opening_tag() -> None:
    async with Runtime("sqlite://") as runtime:
        model = ScriptedModel(
            [[Reasoning("Hm."), "It is\n</think>\nso"], ["<think>Hm</think>It is\n</think>\nso"]]
        )
        api = define_internal_agent_api(runtime, Agent("a", model))
        thread = await finished(api, await api.create_thread("Hi"))
        await finished(api, (await api.send_message(thread.id, "Hi")).thread_id)
        answers = [message for message in await api.list_messages(thread.id) if message.role == "assistant"]
    assert [kinds(each.parts)[-1] for each in answers] == [("text", "It is\n</think>\nso")] * 2


async def answer_until_killed(database: str) -> None:
    def speak(messages: list[dict[str, Any]]) -> Any:
        yield from ["I greet.", "\n</think>\n\n", "H"]
        yield 0.3  # long enough for a flush
        os.kill(os.getpid(), signal.SIGKILL)

    async with Runtime(database) as runtime:
        api = define_internal_agent_api(runtime, Agent("a", ScriptedModel(speak)))
        await finished(api, await api.create_thread("Hi", thread_id="t"))


def begin_and_die(database: str) -> None:
    asyncio.run(answer_until_killed(database))


async def test_a_thought_is_reasoning_after_a_kill_in_the_middle_of_the_answer(path: Path) -> None:
    child = FORKED.Process(target=begin_and_die, args=(prepared(path),))
    child.start()
    await asyncio.to_thread(child.join, 60)
    assert child.exitcode == -signal.SIGKILL
    go = asyncio.Event()

    def again(messages: list[dict[str, Any]]) -> Any:
        yield from held(go)
        yield from ["I say hello.</th", "ink>", "Hello."]

    async with Runtime(prepared(path)) as runtime:
        api = define_internal_agent_api(runtime, Agent("a", ScriptedModel(again)))
        view = ThreadView()
        async for update in api.subscribe("t"):
            view.apply(update)
            if not go.is_set():
                # The dead process's text as it was shown before, without the part that was taken back.
                assert kinds(view.messages[-1]["parts"]) == [("reasoning", "I greet."), ("text", "H")]
                go.set()
            if view.thread["status"] == "completed":
                break
        parts = (await api.list_messages("t"))[-1].parts
        assert kinds(parts) == [("reasoning", "I say hello."), ("text", "Hello.")]
        assert view.messages[-1]["parts"] == parts
        edited = await api.edit_message("t", (await api.list_messages("t"))[0].id, "Hello?")
        assert edited.role == "user"
        await finished(api, "t")
        assert kinds((await api.list_messages("t"))[-1].parts) == kinds(parts)
