"""Thoughts in tags at the start of an answer: reasoning, however the text is cut; other tags remain text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core import define_internal_agent_api
from agent_core.agent import Agent
from agent_core.context.thread_title import INSTRUCTIONS, ModelTitle
from agent_core.llm.readers.think_tags import ThinkTagParser
from agent_core.runtime import Runtime
from agent_core.testing import Reasoning, ScriptedModel, eventually
from tests.support.agents import finished

Said = list[tuple[str, str]]

CASES: dict[str, Said] = {
    "<think>Hm. </think>\n\nHi": [("reasoning", "Hm."), ("text", "Hi")],
    "<THINK>Hm</Think>Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "\n <thinking>\nHm\n</thinking> Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "<reasoning>Hm</reasoning>Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "<thought>Hm</thought>Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "[THINK]Hm[/THINK]Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "◁think▷Hm◁/think▷Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "<think></think>\n\nHi": [("text", "Hi")],
    "\ufeff\u200b <think>Hm</think>Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "<seed:think>Hm</seed:think>Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "<antThinking>Hm</antThinking>Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "<|START_THINKING|>Hm<|END_THINKING|>Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "<|channel>thought\nHm<channel|>Hi": [("reasoning", "Hm"), ("text", "Hi")],
    "<|channel|>analysis<|message|>Hm<|end|><|start|>assistant<|channel|>final<|message|>Hi": [
        ("reasoning", "Hm"),
        ("text", "Hi"),
    ],
    "<think>\n\n</think>\n": [],
    "<think>a</think>\n<think>b</think>Hi": [("reasoning", "ab"), ("text", "Hi")],
    "<think>Hm </thinking> so</think>Hi": [("reasoning", "Hm </thinking> so"), ("text", "Hi")],
    "<think>I write <think> here</think>Hi": [("reasoning", "I write <think> here"), ("text", "Hi")],
    "<think>never closed": [("reasoning", "never closed")],
    "<think>Hm İ</think>İ": [("reasoning", "Hm İ"), ("text", "İ")],
    "Hi <think>Hm</think>": [("text", "Hi <think>Hm</think>")],
    "```xml\n<think>Hm</think>\n```": [("text", "```xml\n<think>Hm</think>\n```")],
    "<think>Hm</think>Use `<think>` and `</think>`.": [
        ("reasoning", "Hm"),
        ("text", "Use `<think>` and `</think>`."),
    ],
    "<b>bold</b>": [("text", "<b>bold</b>")],
    "<thinker>Hi": [("text", "<thinker>Hi")],
    "<thin": [("text", "<thin")],
    "  indented": [("text", "  indented")],
    " ": [("text", " ")],
}


def said(pieces: list[str]) -> Said:
    thinking, found = ThinkTagParser(), list[tuple[str, str]]()
    for kind, text in [*[each for piece in pieces for each in thinking.feed(piece)], *thinking.end()]:
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + text)
        else:
            found.append((kind, text))
    return found


@pytest.mark.parametrize(("text", "expected"), CASES.items(), ids=list(CASES))
def test_thinking_reads_tags_cut_anywhere(text: str, expected: Said) -> None:
    assert said([text]) == expected
    assert said(list(text)) == expected
    for place in range(len(text)):
        assert said([text[:place], text[place:]]) == expected


@settings(max_examples=200)
@given(
    st.lists(st.sampled_from(["<think>", "</think>", "<", ">", "/", "a", " ", "\n", "think"]), max_size=12)
)
def test_thinking_says_the_same_for_any_cut(pieces: list[str]) -> None:
    assert said(pieces) == said(["".join(pieces)]) == said(list("".join(pieces)))


async def test_tags_are_reasoning_in_a_thread_and_never_a_title() -> None:
    model = ScriptedModel(
        lambda messages: (
            ["<thi", "nk>A title? ", "</think>The time"]
            if messages[0]["content"] == INSTRUCTIONS
            else ["<th", "ink>Hm.</think>", "\n\nNoon."]
        )
    )
    async with Runtime("sqlite://") as runtime:
        api = define_internal_agent_api(runtime, Agent("a", model, title=ModelTitle(model)))
        thread = await finished(api, await api.create_thread("What time is it?"))
        parts = (await api.list_messages(thread.id))[-1].parts

        async def named() -> bool:
            found = await api.get_thread(thread.id)
            return found is not None and found.title == "The time"

        await eventually(named)
    assert [(part["type"], part.get("text")) for part in parts] == [
        ("step-start", None),
        ("reasoning", "Hm."),
        ("text", "Noon."),
    ]


async def test_a_provider_that_sends_reasoning_apart_may_use_tags_as_well() -> None:
    async with Runtime("sqlite://") as runtime:
        model = ScriptedModel([[Reasoning("One."), "<think>Two.</think>Noon."]])
        api = define_internal_agent_api(runtime, Agent("a", model))
        thread = await finished(api, await api.create_thread("What time is it?"))
        parts = (await api.list_messages(thread.id))[-1].parts
    assert [part.get("text") for part in parts[1:]] == ["One.Two.", "Noon."]
