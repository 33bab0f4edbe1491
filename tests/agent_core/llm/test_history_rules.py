"""Histories as sent: any history fits the rules of any provider, and is converted the same way each time."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.context.provider_messages import repair
from agent_core.domain.model_adapter import ModelRequest, ToolCallDelta
from agent_core.llm.requests.history_rules import BEGINNING, CONTINUE, INTERRUPTED, fit_history
from agent_core.llm.requests.provider_request import (
    to_provider_request,
)
from agent_core.llm.requests.provider_rules import COMPATIBLE, RULES, Rules, rules_for
from agent_core.testing import check_pairing

Message = dict[str, Any]
HI: Message = {"role": "user", "content": "Hi"}
every_family = pytest.mark.parametrize("family", RULES)


def asked(*names: str, ids: list[str] | None = None, text: str | None = None, **fields: Any) -> Message:
    ids = ids or [f"call_{n}" for n in range(len(names))]
    calls = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": "{}"}}
        for id, name in zip(ids, names, strict=True)
    ]
    return {"role": "assistant", "content": text, "tool_calls": calls, **fields}


def outcome(id: str, content: Any = "12") -> Message:
    return {"role": "tool", "tool_call_id": id, "content": content}


def names_in(messages: list[Message]) -> list[str]:
    return [call["function"]["name"] for each in messages for call in each.get("tool_calls") or []]


def ids_in(messages: list[Message]) -> list[str]:
    return [call["id"] for each in messages for call in each.get("tool_calls") or []]


# Names and ids


@every_family
def test_garbled_names_are_sent_as_the_tool_or_in_a_form_that_fits(family: str):
    written = [
        "get_weather<|channel|>analysis",
        "functions.get_weather",
        " ",
        "x" * 80,
        "a b",
        "a.b",
        "9lives",
    ]
    ids = [f"c{n}" for n in range(len(written))]
    history = [HI, asked(*written, ids=ids), *map(outcome, ids)]
    sent = fit_history(history, ["get_weather"], RULES[family])
    names = names_in(sent)
    assert names.count("get_weather") == 2
    assert all(RULES[family].names.fullmatch(name) for name in names)
    assert len(set(names)) == len(written) - 1, "no two of them are taken for one"


@every_family
def test_ids_of_every_form_fit_and_stay_apart(family: str):
    ids = [
        "call_" + "x" * 60,
        "call_" + "x" * 61,
        "functions.get_weather:0",
        "toolu_01",
        "a b",
        "a/b",
        "ä",
        "123456789",
    ]
    history = [HI, asked(*["f"] * len(ids), ids=ids), *map(outcome, ids)]
    sent = fit_history(history, ["f"], RULES[family])
    assert all(RULES[family].ids.fullmatch(id) for id in ids_in(sent))
    assert len(set(ids_in(sent))) == len(ids)
    check_pairing(sent)


def test_id_that_another_id_was_turned_into_is_not_given_twice():
    (first,) = ids_in(fit_history([HI, asked("f", ids=["a b"]), outcome("a b")], ["f"], RULES["mistral"]))
    history = [HI, asked("f", "f", ids=["a b", first]), outcome("a b"), outcome(first, "13")]
    sent = fit_history(history, ["f"], RULES["mistral"])
    assert ids_in(sent)[0] == first
    assert len(set(ids_in(sent))) == 2
    check_pairing(sent)


def test_fitting_ids_stay_as_they_are():
    history = [HI, asked("f", ids=["abcDEF123"]), outcome("abcDEF123"), HI]
    assert ids_in(fit_history(history, ["f"], RULES["mistral"])) == ["abcDEF123"]


def test_tool_whose_name_the_provider_refuses_goes_out_and_comes_back_under_another():
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("2fa", "clock")]
    choice = {"type": "function", "function": {"name": "2fa"}}
    sent = to_provider_request(
        ModelRequest([HI, asked("2fa"), outcome("call_0")], tools), RULES["moonshot"], choice=choice
    )
    assert [tool["function"]["name"] for tool in sent.tools] == ["t_2fa", "clock"]
    assert names_in(sent.messages) == ["t_2fa"]
    assert sent.options["tool_choice"]["function"]["name"] == "t_2fa"
    assert sent.named(ToolCallDelta(0, "c", "t_2fa", "")) == ToolCallDelta(0, "c", "2fa", "")
    assert sent.named(ToolCallDelta(0, "c", None, "{")) == ToolCallDelta(0, "c", None, "{")
    assert tools[0]["function"]["name"] == "2fa"


# Roles and order


def test_mistral_hears_the_model_between_an_outcome_and_a_person():
    sent = fit_history([HI, asked("f"), outcome("call_0"), HI], ["f"], RULES["mistral"])
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "assistant", "user"]
    assert sent[3]["content"] == INTERRUPTED


@every_family
def test_history_begins_and_ends_with_a_person(family: str):
    sent = fit_history(
        [{"role": "system", "content": "S"}, {"role": "assistant", "content": "A"}], [], RULES[family]
    )
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert (sent[1]["content"], sent[-1]["content"]) == (BEGINNING, CONTINUE)
    assert fit_history([], [], RULES[family]) == [{"role": "user", "content": BEGINNING}]


def test_speakers_alternate_where_they_must():
    history = [HI, HI, {"role": "assistant", "content": "A"}, asked("f", text="B"), outcome("call_0"), HI]
    sent = fit_history(history, ["f"], COMPATIBLE)
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "user"]
    assert (sent[0]["content"], sent[1]["content"]) == ("Hi\n\nHi", "A\n\nB")
    assert fit_history(history, ["f"], RULES["openai"]) == history


def test_system_messages_become_one_at_the_beginning():
    system = {"role": "system", "content": "S"}
    sent = fit_history(
        [system, system, HI, {"role": "assistant", "content": "A"}, system, HI], [], COMPATIBLE
    )
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert sent[0]["content"] == "S\n\nS"
    assert "S" in sent[-1]["content"]


# Contents


def test_empty_content_is_sent_as_each_provider_wants_it():
    history = [HI, asked("f"), outcome("call_0", "")]
    assert fit_history(history, ["f"], RULES["xai"])[1]["content"] == ""
    assert fit_history(history, ["f"], RULES["xai"])[2]["content"] == "(no output)"
    assert fit_history(history, ["f"], RULES["openai"])[1:] == history[1:]


def test_fields_of_other_providers_are_not_sent():
    own = {"thinking_blocks": [{"type": "thinking"}], "reasoning_content": "Hm.", "reasoning_details": [{}]}
    history = [HI, asked("f", **own), outcome("call_0"), HI]
    history[1]["tool_calls"][0] |= {"extra_content": {"google": {}}, "index": 0}
    for family, rules in RULES.items():
        message = next(m for m in fit_history(history, ["f"], rules) if "tool_calls" in m)
        assert message.keys() - {"role", "content", "tool_calls"} <= rules.returned_fields, family
        assert message["tool_calls"][0].keys() - {"id", "type", "function"} <= rules.returned_call_fields, (
            family
        )


def test_fields_that_another_models_step_lacks_are_filled_in():
    history = [HI, asked("f", "f"), *map(outcome, ("call_0", "call_1")), HI]
    thinking = rules_for("deepseek", "deepseek-reasoner")
    assert fit_history(history, ["f"], thinking)[1]["reasoning_content"] == " "
    own = [HI, asked("f", reasoning_content="Hm."), outcome("call_0")]
    assert fit_history(own, ["f"], thinking)[1]["reasoning_content"] == "Hm."
    assert "reasoning_content" not in fit_history(history, ["f"], rules_for("deepseek", "deepseek-chat"))[1]
    gemini = fit_history(history, ["f"], rules_for("openai", "gemini-3-flash-preview", "http://127.0.0.1/v1"))
    first, second = gemini[1]["tool_calls"]
    assert first["extra_content"]["google"]["thought_signature"] == "skip_thought_signature_validator"
    assert "extra_content" not in second


def test_calls_become_words_where_no_tools_are_declared():
    history = [HI, asked("clock", text="I look."), outcome("call_0", "It is 12."), HI]
    sent = fit_history(history, [], RULES["anthropic"])
    assert not any("tool_calls" in message or message["role"] == "tool" for message in sent)
    assert "I look." in sent[1]["content"]
    assert "clock" in sent[1]["content"]
    assert "It is 12." in json.dumps(sent)


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
PDF = {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}}


def test_older_pictures_are_words_for_a_model_that_does_not_see():
    shown = {"role": "user", "content": [{"type": "text", "text": "Look"}, PICTURE]}
    answer = {"role": "assistant", "content": "A"}
    sent = fit_history([shown, answer, HI], [], COMPATIBLE, has_vision=False)
    assert sent[0]["content"] == "Look\n\n[A picture was left out: this model cannot read it.]"
    assert fit_history([shown, answer, HI], [], COMPATIBLE)[0] == shown
    assert fit_history([shown], [], COMPATIBLE, has_vision=False)[0] == shown, (
        "what was just sent is the provider's to judge"
    )


def test_older_files_are_words_for_a_provider_that_takes_none():
    shown = {"role": "user", "content": [PDF]}
    sent = fit_history([shown, {"role": "assistant", "content": "A"}, HI], [], RULES["groq"])
    assert sent[0]["content"] == "[The file a.pdf was left out: this model cannot read it.]"


def test_pictures_of_an_outcome_stand_where_the_provider_takes_them():
    content = [{"type": "text", "text": "chart"}, PICTURE]
    history = [HI, asked("f", "f"), outcome("call_0", content), outcome("call_1"), HI]
    assert fit_history(history, ["f"], RULES["anthropic"])[2]["content"] == content
    sent = fit_history(history, ["f"], RULES["openai"])
    assert [message["role"] for message in sent] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert sent[2]["content"] == "chart"
    assert sent[4]["content"][1] == PICTURE
    blind = fit_history(history, ["f"], RULES["openai"], has_vision=False)
    assert "left out" in blind[2]["content"]
    assert "image_url" not in json.dumps(blind)
    mistral = fit_history(history, ["f"], RULES["mistral"])
    assert [m["role"] for m in mistral] == ["user", "assistant", "tool", "tool", "assistant", "user"]


def test_blank_texts_beside_a_picture_are_left_out():
    shown = {"role": "user", "content": [{"type": "text", "text": " "}, PICTURE]}
    assert fit_history([shown], [], RULES["anthropic"])[0]["content"] == [PICTURE]


# Any history

_ids = st.sampled_from(["a", "b", "a b", "call_" + "x" * 60, "functions.f:0", "abcDEF123", ""])
_names = st.sampled_from(["f", "functions.f", "f<|channel|>x", " ", "n" * 80, "ünder", "9"])
_contents = st.sampled_from(["", "x", None, [PICTURE], [{"type": "text", "text": ""}, PDF], []])
_call = st.builds(
    lambda id, name, arguments: {
        "id": id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    },
    _ids,
    _names,
    st.sampled_from(["{}", "", "[1]", "no json", '{"a": 1}', "null", {"a": 1}]),
)
_messages = st.one_of(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "system"]),
        _contents,
    ),
    st.builds(outcome, _ids, st.sampled_from(["", "x", [{"type": "text", "text": "t"}, PICTURE]])),
    st.builds(
        lambda content, calls: {
            "role": "assistant",
            "content": content,
            "tool_calls": calls,
            "reasoning_content": "r",
        },
        st.sampled_from(["", "x", None]),
        st.lists(_call, max_size=3),
    ),
)


@every_family
@settings(max_examples=25)
@given(history=st.lists(_messages, max_size=8))
def test_any_history_fits(family: str, history: list[Message]):
    rules = RULES[family]
    repaired = repair(history)
    before = copy.deepcopy(repaired)
    sent = fit_history(repaired, ["f"], rules)
    assert repaired == before
    assert sent == fit_history(repaired, ["f"], rules)
    check_rules(sent, rules)


def check_rules(sent: list[Message], rules: Rules) -> None:
    check_pairing(sent)
    assert all(rules.names.fullmatch(name) for name in names_in(sent))
    assert all(rules.ids.fullmatch(id) for id in ids_in(sent))
    spoken = [message["role"] for message in sent if message["role"] != "system"]
    assert spoken[0] == "user"
    assert spoken[-1] in ("user", "tool")
    for message in sent:
        for call in message.get("tool_calls") or []:
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    for first, second in pairwise(sent):
        if rules.alternate and first["role"] in ("user", "assistant") and "tool_calls" not in first:
            assert first["role"] != second["role"]
        if not rules.user_after_outcome:
            assert (first["role"], second["role"]) != ("tool", "user")
    if rules.one_system:
        assert all(message["role"] != "system" for message in sent[1:])


def test_growing_history_keeps_what_was_sent():
    turn = [HI, asked("f", ids=["a b"]), outcome("a b"), {"role": "assistant", "content": "A"}]
    for rules in RULES.values():
        short, longer = (
            fit_history([*turn, HI], ["f"], rules),
            fit_history([*turn, HI, *turn[1:3]], ["f"], rules),
        )
        assert longer[: len(short)] == short


@pytest.mark.parametrize(
    ("provider", "model", "address", "family"),
    [
        ("openai", "gpt-5-mini", None, "openai"),
        ("openai", "gpt-4o-mini", "http://127.0.0.1:1/v1", "openai"),
        (
            "openai",
            "gemini-3-flash-preview",
            "https://generativelanguage.googleapis.com/v1beta/openai",
            "gemini_openai",
        ),
        ("openai", "any", "https://api.groq.com/openai/v1", "groq"),
        ("openai", "any", "https://openrouter.ai/api/v1", "openrouter"),
        ("openai", "any", "http://localhost:8000/v1", "hosted_vllm"),
        ("vertex_ai", "claude-sonnet-4-5", None, "anthropic"),
        ("vertex_ai", "gemini-3-pro", None, "gemini"),
        ("ollama_chat", "qwen3", None, "ollama"),
        ("nobody", "x", None, "hosted_vllm"),
    ],
)
def test_provider_is_known_by_its_name_or_its_address(
    provider: str, model: str, address: str | None, family: str
):
    found, rules = rules_for(provider, model, address), RULES[family]
    returned = {name: getattr(rules, name) for name in ("returned_fields", "returned_call_fields")}
    assert replace(found, **returned) == rules
    assert all(getattr(found, name) >= fields for name, fields in returned.items())


@pytest.mark.parametrize("provider", ["openrouter", "hosted_vllm", "ollama_chat", "groq"])
def test_models_of_mistral_keep_its_rules_wherever_they_are_served(provider: str):
    rules = rules_for(provider, "mistralai/Mistral-Small-24B")
    assert (rules.ids, rules.user_after_outcome) == (RULES["mistral"].ids, False)
