"""MCP tools without a server: names, hints, overrides, schemas and results."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import mcp_types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)

from agent_core import RetryPolicy, mcp_tools
from agent_core.errors import ToolServerError, ValidationError
from agent_core.mcp.client import outcome
from agent_core.mcp.tools import ToolConverter, tool_names
from agent_core.tools import TOOL_NAME, JsonSchema, Tool

READS = ToolAnnotations(read_only_hint=True)
IDEMPOTENT = ToolAnnotations(idempotent_hint=True)
DESTROYS = ToolAnnotations(destructive_hint=True)
LIES = ToolAnnotations(read_only_hint=True, destructive_hint=True)
HARMLESS = ToolAnnotations(destructive_hint=False)


async def nobody(name: str, arguments: dict[str, Any], ctx: Any) -> Any:
    raise AssertionError(name)


def converted(hints: ToolAnnotations | None = None, *, trust: bool = True, **overrides: Any) -> Tool:
    listed = mcp_types.Tool(name="it", input_schema={"type": "object"}, annotations=hints)
    converter = ToolConverter(None, None, {"it": overrides} if overrides else {}, 60.0, trust)  # type: ignore[dict-item]
    (tool,), skipped = converter.tools([listed], nobody)
    assert not skipped
    return tool


# --- names ---


def test_a_name_that_providers_take_stays():
    assert tool_names(["add", "a-b_C9", "x" * 64]) == {"add": "add", "a-b_C9": "a-b_C9", "x" * 64: "x" * 64}


def test_characters_that_providers_refuse_become_underscores():
    assert tool_names(["files.read", "a b", "größe"]) == {
        "files.read": "files_read",
        "a b": "a_b",
        "größe": "gr__e",
    }


def test_names_that_would_be_one_get_a_hash_and_the_exact_one_stays():
    names = tool_names(["a.b", "a b", "a_b"])
    assert names["a_b"] == "a_b"
    assert names["a.b"] != names["a b"]
    assert names == tool_names(["a_b", "a b", "a.b"])


def test_a_server_that_knows_the_hash_gets_one_tool_of_a_name():
    listed = [mcp_types.Tool(name=name, input_schema={"type": "object"}) for name in ("a.b", "a b")]
    converter = ToolConverter(None, None, {}, None, True)
    stolen = mcp_types.Tool(name=tool_names(["a.b", "a b"])["a b"], input_schema={"type": "object"})
    tools, skipped = converter.tools([*listed, stolen], nobody)
    assert len({tool.name for tool in tools}) == len(tools) == 2
    assert "is taken" in skipped[stolen.name]


def test_a_prefix_stands_before_each_name():
    assert tool_names(["add"], "calc") == {"add": "calc_add"}


@given(st.lists(st.text(max_size=80), max_size=8), st.sampled_from([None, "p"]))
def test_any_names_become_acceptable_and_stay_apart(names: list[str], prefix: str | None):
    here = tool_names(names, prefix)
    assert here.keys() == set(names)
    assert all(TOOL_NAME.fullmatch(name) for name in here.values())
    assert len(set(here.values())) == len(here)
    assert tool_names(reversed(names), prefix) == here


# --- hints and overrides ---


@pytest.mark.parametrize(
    ("hints", "rerun", "approval"),
    [
        (None, False, False),
        (READS, True, False),
        (IDEMPOTENT, True, False),
        (DESTROYS, False, True),
        (LIES, False, True),
        (HARMLESS, False, False),
    ],
)
def test_hints(hints: ToolAnnotations | None, rerun: bool, approval: bool):
    tool = converted(hints)
    assert (tool.rerun_on_interrupt, tool.needs_approval) == (rerun, approval)
    careful = converted(hints, trust=False)
    assert (careful.rerun_on_interrupt, careful.needs_approval) == (False, True)


def test_overrides_count_for_more_than_hints():
    tool = converted(
        DESTROYS, needs_approval=False, rerun_on_interrupt=True, timeout=5.0, description="Ours."
    )
    assert (tool.needs_approval, tool.rerun_on_interrupt, tool.timeout) == (False, True, 5.0)
    assert tool.description == "Ours."
    assert converted(READS, rerun_on_interrupt=False).rerun_on_interrupt is False
    assert converted(None, retry=True).rerun_on_interrupt is True
    assert converted(READS, retry=False).retry is None
    assert converted(READS, retry=False).rerun_on_interrupt is False
    assert converted(None, trust=False, needs_approval=False).needs_approval is False
    policy = RetryPolicy(max_attempts=9)
    assert converted(None, retry=policy, rerun_on_interrupt=False).retry is policy


def test_a_star_is_for_every_tool_that_is_not_named():
    listed = [mcp_types.Tool(name=name, input_schema={"type": "object"}) for name in ("a", "b")]
    converter = ToolConverter(
        None, None, {"*": {"needs_approval": True}, "b": {"needs_approval": False}}, None, True
    )
    assert [tool.needs_approval for tool in converter.tools(listed, nobody)[0]] == [True, False]


def test_unsent_calls_are_tried_again_and_answered_ones_are_not():
    def kinds(tool: Tool) -> list[str]:
        assert tool.retry is not None
        errors = [ToolServerError("x", kind=kind) for kind in ("unreachable", "lost", "refused")]
        return [error.kind for error in errors if tool.retry.delay(1, error) is not None]

    assert kinds(converted()) == ["unreachable"]
    assert kinds(converted(DESTROYS)) == ["unreachable"]
    assert kinds(converted(IDEMPOTENT)) == ["unreachable", "lost"]
    assert converted(IDEMPOTENT).retry.delay(1, TimeoutError()) is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"server": ""}, "a URL or a command"),
        ({"server": []}, "a URL or a command"),
        ({"server": ["a\0b"]}, "a URL or a command"),
        ({"server": "http://"}, "needs a host"),
        ({"server": "python x.py", "headers": {"a": "b"}}, "headers are for a URL"),
        ({"server": "http://x/mcp", "env": {"a": "b"}}, "env and cwd are for a command"),
        ({"server": "x", "prefix": "a.b"}, "prefix"),
        ({"server": "x", "timeout": 0}, "timeout"),
        ({"server": "x", "start_timeout": 0}, "start_timeout"),
        ({"server": "x", "overrides": {"a": {"needs_aproval": True}}}, "needs_aproval"),
        ({"server": "x", "overrides": {"a": {"timeout": -1}}}, "timeout"),
        ({"server": "x", "overrides": {"a": {"retry": 3}}}, "retry"),
        ({"server": "x", "overrides": {"a": True}}, "a dict of options"),
        ({"server": "x", "only": "read"}, "a list of names"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_at_once(arguments: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words):
        mcp_tools(**arguments)


def test_a_server_is_called_by_nothing_secret():
    assert mcp_tools("https://me:secret@example.com:9/mcp?key=secret").name == "example.com:9"
    assert mcp_tools(["python", "-u", "/srv/files.py", "--key=secret"]).name == "files.py"
    assert mcp_tools(["python3", "-c", "import secret; secret.serve()"]).name == "python3"
    assert mcp_tools("npx -y @scope/server-files /tmp", name="files").name == "files"


# --- schemas ---


def test_a_schema_is_shown_unchanged_and_checked():
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "Kept",
        "description": "Kept, too",
        "properties": {"at": {"$ref": "#/$defs/place"}, "n": {"type": "integer", "minimum": 1}},
        "required": ["at"],
        "additionalProperties": False,
        "$defs": {"place": {"type": "object", "properties": {"x": {"enum": ["ü", 2]}}}},
    }
    listed = mcp_types.Tool(name="it", input_schema=schema)
    (tool,), _ = ToolConverter(None, None, {}, None, True).tools([listed], nobody)
    assert tool.schema()["function"]["parameters"] == schema
    problems = JsonSchema(schema).problems
    assert problems({"at": {"x": "ü"}, "n": 1}) == []
    assert problems({}) == ["arguments: 'at' is a required property"]
    assert problems({"at": {"x": 3}, "n": 0}) == [
        "at.x: 3 is not one of ['ü', 2]",
        "n: 0 is less than the minimum of 1",
    ]
    assert "'else' was unexpected" in problems({"at": {}, "else": 1})[0]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"type": "objekt"},
        {"$schema": 5},
        {"type": "object", "properties": 5},
        {"type": "object", "required": "a"},
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}},
        {"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
    ],
)
def test_a_schema_that_cannot_be_checked_is_refused(schema: dict[str, Any]):
    with pytest.raises(ValidationError, match="JSON schema"):
        JsonSchema(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": ["object", "null"]},
        {"properties": {"default": {"type": "string"}, "x": {"default": {"$ref": "#/nowhere"}}}},
        {"properties": {"x": {"enum": [{"$ref": "https://example.com/a.json"}]}}},
    ],
)
def test_a_schema_of_an_object_is_taken_whatever_its_values_hold(schema: dict[str, Any]):
    assert JsonSchema(schema).problems({}) == []


def test_hostile_schemas_and_arguments_end():
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(5000):
        deep = {"type": "object", "properties": {"a": deep}}
    with pytest.raises(ValidationError, match="nested too deep"):
        JsonSchema(deep)
    evil = {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}},
        "patternProperties": {"^(b+)+$": {}, "^\\p{L}$": {}},
        "additionalProperties": False,
    }
    assert JsonSchema(evil).problems({"a": "a" * 64 + "!", "b" * 64 + "!": 1}) == []
    tiny = JsonSchema({"properties": {"a": {"type": "number", "multipleOf": 1e-300}}})
    assert "cannot be checked" in tiny.problems({"a": 10**400})[0]
    endless = {
        "type": "object",
        "$defs": {"a": {"$ref": "#/$defs/a"}},
        "properties": {"x": {"$ref": "#/$defs/a"}},
    }
    assert JsonSchema(endless).problems({"x": 1}) == ["they are nested too deep"]
    long = JsonSchema({"type": "object", "properties": {"a": {"type": "integer"}}}).problems(
        {"a": "y" * 9999}
    )
    assert len(long[0]) < 300


# --- results ---


def result(*content: Any, **more: Any) -> CallToolResult:
    return CallToolResult(content=list(content), **more)


def test_results():
    text, picture = TextContent(text="hällo"), ImageContent(data="QUJD", mime_type="image/png")
    shown = {"type": "image", "mimeType": "image/png", "data": "QUJD"}
    assert outcome(result()) is None
    assert outcome(result(text)) == "hällo"
    assert outcome(result(text, text)) == "hällo\nhällo"
    assert outcome(result(text, structured_content={"a": 1})) == {"a": 1}
    assert outcome(result(text, structured_content=[])) == []
    assert outcome(result(text, picture)) == [{"type": "text", "text": "hällo"}, shown]
    assert outcome(result(picture, structured_content=1)) == {"structured": 1, "content": [shown]}
    large = outcome(result(AudioContent(data="QUJD" * 2000, mime_type="audio/wav")))
    left_out = "Too long, and not text."
    assert large == [{"type": "audio", "mimeType": "audio/wav", "bytes": 6000, "leftOut": left_out}]
    blob = BlobResourceContents(uri="file:///a.png", blob="QUJD", mime_type="image/png")
    drawn = outcome(result(EmbeddedResource(resource=blob)))
    assert drawn == [{"type": "image", "uri": "file:///a.png", "mimeType": "image/png", "data": "QUJD"}]


@pytest.mark.parametrize(
    ("kind", "data", "shown"),
    [
        ("text/csv", "ä,b\n".encode() * 3_000, {"text": "ä,b\n" * 3_000}),
        ("application/geo+json", b'{"a": 1}', {"text": '{"a": 1}'}),
        ("text/plain", b"\xff\x00\xff\x01", {"bytes": 4, "data": "/wD/AQ=="}),
        (
            "",
            b"\x89PNG\r\n\x1a\n" * 9,
            {"type": "image", "data": b64encode(b"\x89PNG\r\n\x1a\n" * 9).decode()},
        ),
        ("", b"abc", {"bytes": 3, "data": "YWJj"}),
    ],
)
def test_binary_resource_is_shown_as_what_it_is(kind: str, data: bytes, shown: dict[str, Any]):
    blob = BlobResourceContents(uri="file:///a", blob=b64encode(data).decode(), mime_type=kind or None)
    [block] = outcome(result(EmbeddedResource(resource=blob)))
    assert block == {"type": "resource", "uri": "file:///a"} | ({"mimeType": kind} if kind else {}) | shown


def test_failure_without_a_text_block_speaks_too():
    resource = TextResourceContents(uri="file:///log", text="disk full")
    for failed in (
        result(EmbeddedResource(resource=resource), is_error=True),
        result(structured_content={"why": "disk full"}, is_error=True),
    ):
        with pytest.raises(ToolServerError, match="disk full"):
            outcome(failed)


@pytest.mark.parametrize("said", ["no good", ""])
def test_a_failure_speaks_in_the_servers_words(said: str):
    with pytest.raises(ToolServerError, match=said or "without an error message") as caught:
        outcome(result(TextContent(text=said), is_error=True))
    assert caught.value.kind == "refused"
