"""Structured outputs: a model is asked for a form, by an option or in words, and held to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from agent_core.domain.model_adapter import Finish
from agent_core.testing import ScriptedModel, ToolUse
from tests.support.servers.openai_server import serving_openai

HI: list[Any] = [{"role": "user", "content": "How warm is it?"}]
FORM: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {"name": "Warmth", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
}


class Warmth(BaseModel):
    n: int


class Formatted(ScriptedModel):
    """A model that takes the form as an option, and notes the options of its requests."""

    def __init__(self, turns: Any) -> None:
        super().__init__(turns)
        self.options: list[Any] = []

    async def takes_format(self, form: Any, options: Any, *, has_tools: bool) -> bool:
        return has_tools and form["type"] == "json_schema"

    def stream(self, request: Any) -> Any:
        self.options.append(request.options)
        return super().stream(request)


async def test_parse_of_the_client_gets_the_object(tmp_path: Path) -> None:
    said = "I look first."
    turns = [[said, ToolUse("look", {"n": 1})], ['{"n":', " 21}"]]
    model = Formatted(turns * 3 + [['{"n": 1}'], ['{"n": 2}']])
    async with serving_openai(tmp_path / "a.db", model) as (ai, api, _):
        given: dict[str, Any] = {"model": "assistant", "response_format": Warmth}
        whole = await ai.chat.completions.parse(messages=HI, **given)
        assert whole.choices[0].message.parsed == Warmth(n=21)
        assert whole.choices[0].message.reasoning_content == said, "not a part of the object"  # type: ignore[attr-defined]
        async with ai.chat.completions.stream(messages=HI, **given) as stream:
            deltas = [event.delta async for event in stream if event.type == "content.delta"]
            final = await stream.get_final_completion()
        assert final.choices[0].message.parsed == Warmth(n=21)
        assert "".join(deltas) == '{"n": 21}'
        response = await ai.responses.parse(model="assistant", input="How warm?", text_format=Warmth)
        assert response.output_parsed == Warmth(n=21)
        assert [item.type for item in response.output] == ["reasoning", "mcp_call", "message"]
        assert response.text is not None
        assert response.text.to_dict() == {"format": {"type": "json_schema", "name": "Warmth"}}
        told: Any = await ai.responses.retrieve(response.id, stream=True)
        assert [event async for event in told][-1].response.output_text == '{"n": 21}'
        (schema,) = {str(options["response_format"]["json_schema"]["schema"]) for options in model.options}
        assert "integer" in schema

        await ai.chat.completions.create(
            model="assistant", messages=HI, response_format={"type": "json_object"}
        )
        assert "JSON object" in model.requests[-1][0]["content"], (
            "a model without the option gets an instruction"
        )
        await ai.chat.completions.create(model="assistant", messages=HI)
        assert model.options[-1] == {}
        assert len(await api.list_threads()) == 5


async def test_an_answer_of_another_form_fails_its_attempt(tmp_path: Path) -> None:
    wrong = [["Warm."], ["{}"], ['{"n": "21"}'], ["[21]"]]
    model = ScriptedModel([*wrong[:2], ['{"n": 3}'], *wrong[2:], ["No."], ['{"n":', Finish("length")]])
    strict = {**FORM, "json_schema": {"name": "W", "strict": True, "schema": Warmth.model_json_schema()}}
    async with serving_openai(tmp_path / "a.db", model) as (ai, _, _client):
        given: dict[str, Any] = {"model": "assistant", "messages": HI, "response_format": strict}
        whole = await ai.chat.completions.create(**given)
        assert (whole.choices[0].message.content, len(model.requests)) == ('{"n": 3}', 3)
        assert '"integer"' in model.requests[0][0]["content"], (
            "a model that takes no option is told the schema"
        )
        with pytest.raises(openai.InternalServerError, match="it is not JSON"):
            await ai.chat.completions.create(**given)
        cut = await ai.chat.completions.create(**given)
        assert cut.choices[0].finish_reason == "length", "the client says so itself"
