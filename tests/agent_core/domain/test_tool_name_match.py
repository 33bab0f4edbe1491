"""Garbled tool names: which are recognised, and which names are sent in place of unsuitable ones."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.domain.tool_name_match import WIRE_NAME, find_tool, wire_name

TOOLS = ["get_weather", "send_mail", "Send-Mail-Now", "list"]


@pytest.mark.parametrize(
    "written",
    [
        "get_weather",
        "functions.get_weather",
        "functions.get_weather:0",
        "functions::get_weather",
        "function/get_weather",
        "default_api:get_weather",
        "default_api.get_weather",
        "tools.weather.get_weather",
        "get_weather<|channel|>analysis",
        "get_weather<|channel|>commentary",
        "get_weather<|constrain|>json",
        "<|channel|>commentary to=functions.get_weather<|message|>",
        "to=functions.get_weather",
        "<tool_call>get_weather",
        "<function=get_weather>",
        "[TOOL_CALLS]get_weather",
        "get_weather[ARGS]",
        " get_weather ",
        "get_weather\n",
        "get_weather\u200b",
        "\ufeffget_weather",
        "get_weather\ufffd",
        "get_weather<|im_end|>",
        "get_weather</tool_call>",
        "`get_weather`",
        '"get_weather"',
        "get_weather()",
        "get_weather:",
        "get-weather",
        "GetWeather",
        "getWeather",
        "GET_WEATHER",
        "get_weatherget_weather",
        "functions.getWeather",
        "“get_weather”",
        "@get_weather?",
        "get_weather\\",
        "get_weather json",
        "commentary to=get_weather json",
        "function get_weather",
        "get weather",
        'get_weather(location="Paris, list")',
        '{"name": "get_weather", "arguments": {}}',
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather",
        "ｇｅｔ＿ｗｅａｔｈｅｒ",
        'get_weather{"name": "Rome"}',
        'get_weather\n{"city": "Rome"',
        '<invoke name="get_weather">',
        "mcp__weather__get_weather",
        "functions_get_weather",
        "functions . get_weather",
        "functions/get_weather/",
        "name: get_weather",
        "action=get_weather",
        "get_weather#call_1",
        "get_weather get_weather",
        "get_weather.get_weather",
        "get.weather",
        "get\u200b_weather",
        "\0get_weather\x1b[0m",
        "Ġget_weather\\n",
        "get%5Fweather",
        "【get_weather】",
    ],
)
def test_plain_name_is_the_tool(written: str):
    assert find_tool(written, TOOLS) == "get_weather"


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "<|channel|>",
        "nothing",
        "weather",
        "get_weather_now",
        "forget_weather",
        "get_weather send_mail",
        "get_weather.send_mail.x",
        "send_mail.get_weather",
        "get_weather<|channel|>send_mail",
        "get_weather, send_mail",
        "never get_weather",
        "get_weather; rm -rf /",
        "get_weather({})x",
        "list_all",
        "x" * 10_000 + ".get_weather",
        "\ud800",
    ],
)
def test_ambiguous_name_is_no_tool(written: str):
    assert find_tool(written, TOOLS) is None


def test_spelling_of_two_tools_is_neither():
    assert find_tool("getweather", ["get_weather", "get-weather"]) is None
    assert find_tool("get-weather", ["get_weather", "get-weather"]) == "get-weather"
    assert find_tool("functions.GetWeather", ["get_weather", "get-weather"]) is None


def test_exact_name_wins_over_a_likeness():
    assert find_tool("a-list", ["a-list", "list"]) == "a-list"


@given(st.lists(st.text(max_size=90), max_size=6, unique=True))
def test_wire_names_fit_and_tell_names_apart(names: list[str]):
    sent = [wire_name(name) for name in names]
    assert all(WIRE_NAME.fullmatch(name) for name in sent)
    assert len(set(sent)) == len(sent)
    assert [wire_name(name) for name in sent] == sent


def test_wire_name_stays_readable():
    assert re.fullmatch(r"get_weather_now_[0-9a-f]{8}", wire_name("get weather.now"))
    assert len(wire_name("n" * 80)) <= 64


@given(st.text(max_size=300))
def test_any_text_can_be_matched(written: str):
    assert find_tool(written, TOOLS) in {None, *TOOLS}
