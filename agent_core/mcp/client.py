"""Call the tools of one server; convert results to JSON, and translate errors of the MCP library."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64decode
from contextlib import AbstractAsyncContextManager
from typing import Any

import mcp_types
import pydantic
from mcp import MCPError
from mcp_types import BlobResourceContents, CallToolResult, ContentBlock

from agent_core.errors import AgentCoreError, ToolServerError, words_of
from agent_core.mcp.address import ServerAddress
from agent_core.mcp.connection import Connection, OnTools, first_of
from agent_core.mcp.message_filter import first_problem
from agent_core.mcp.transports import (
    FORGOTTEN,
    LOST,
    REFUSED,
    UNREACHABLE,
    ErrorOutput,
    http_transport,
    stdio_transport,
)
from agent_core.sentences import sentence
from agent_core.support.logs import get_logger
from agent_core.text.decoding import decode_text
from agent_core.text.redaction import hide_secrets
from agent_core.tools import ToolContext, is_picture

_log = get_logger(__name__)
_PROGRESS_INTERVAL = 0.1  # seconds between reports of progress
_KEY = "durable-agents/idempotency-key"  # in the request's _meta: the same in every attempt at a call
_MAX_BASE64 = 4096  # characters of base64, which costs tokens and is of no use to a model
_TEXT_TYPES = re.compile(r"text/|application/(?:[\w.+-]+\+)?(?:json|xml|yaml|javascript|toml)\b", re.I)
_LINK_FIELDS = ("type", "uri", "name", "title", "description", "mimeType", "size")


class ServerClient:
    """Client of one tool server; `start_timeout` (seconds) is for connecting and listing the tools."""

    def __init__(self, source: ServerAddress, start_timeout: float, on_tools: OnTools) -> None:
        self._source = source
        self._start_timeout = start_timeout
        self._errors = ErrorOutput(source.name)
        self._fault: str | None = None
        self._connection = Connection(
            self._open, start_timeout=start_timeout, on_tools=on_tools, explain=self._explain
        )

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connection.connected and self._fault is None

    @property
    def error(self) -> str | None:
        """Why there is no connection, or why the last call failed."""
        return self._fault or self._connection.error

    @property
    def unreachable(self) -> bool:
        """Whether the last attempt to connect was refused."""
        return self._connection.unreachable

    async def connect(self) -> None:
        """Connect if need be.

        Raises:
            ToolServerError: the connection failed.
        """
        await self._connection.client()

    async def close(self) -> None:
        """Disconnect from the server, and wait for a renewal of the person's grant."""
        await self._connection.close()
        if self._source.auth is not None:
            await self._source.auth.close()

    async def call(
        self, name: str, arguments: dict[str, Any], ctx: ToolContext, *, reopened: bool = False
    ) -> Any:
        """Call a tool, by its name on the server, and return its result as plain JSON.

        `reopened` says whether the server has already lost the session once, and a new one was opened.

        Raises:
            ToolServerError: see its `kind`.
        """
        client = await self._connection.client()
        progress = _Progress(ctx)
        meta: Any = {_KEY: ctx.idempotency_key}
        try:
            result = await client.call_tool(name, arguments, progress_callback=progress, meta=meta)
        except MCPError as error:
            if error.code != FORGOTTEN or reopened:
                raise self._translated(error) from error
            self._connection.drop(client)  # the server rejected the call unread, so a retry is safe
            return await self.call(name, arguments, ctx, reopened=True)
        except (RuntimeError, ValueError) as error:  # a malformed answer
            words = sentence(
                "tool_server_malformed", server=self._source.name, words=self._words(error).rstrip(".")
            )
            raise ToolServerError(sentence("tool_may_have_run", words=words), kind="refused") from error
        finally:
            progress.over = True
        self._fault = None
        try:
            return outcome(result)
        except ToolServerError as error:
            raise ToolServerError(self._words(error), kind=error.kind) from None

    def _translated(self, error: MCPError) -> ToolServerError:
        name, message = self._source.name, hide_secrets(error.message, self._source.secrets)
        words = message.rstrip(".")
        if error.code == UNREACHABLE:
            self._fault = sentence("tool_server_unreachable", server=name, words=words)
        elif error.code == LOST or error.code == mcp_types.CONNECTION_CLOSED:
            self._fault = sentence("tool_server_lost", server=name, words=words)
        else:
            self._fault = None
            ours = sentence("tool_server_refused", server=name, words=words)
            said = ours if error.code in (REFUSED, FORGOTTEN) else message
            return ToolServerError(said or ours, kind="refused")
        _log.warning("%s", self._fault)
        if error.code == UNREACHABLE:
            return ToolServerError(sentence("tool_did_not_run", words=self._fault), kind="unreachable")
        return ToolServerError(sentence("tool_may_have_run", words=self._fault), kind="lost")

    # --- callbacks of the connection ---

    def _open(self) -> AbstractAsyncContextManager[Any]:
        source = self._source
        if source.url is not None:
            return http_transport(
                source.url, source.headers, self._start_timeout, source.may_reach, source.auth
            )
        return stdio_transport(source.command, source.env, source.cwd, self._errors)

    async def _explain(self, error: BaseException) -> str:
        return hide_secrets(await self._explained(error), self._source.secrets)

    async def _explained(self, error: BaseException) -> str:
        name = self._source.name
        if isinstance(error, AgentCoreError):
            return words_of(error)
        if isinstance(error, EOFError):
            self._fault = None  # it had the same cause
            words = f"The tool server {name} closed the connection; the next call reconnects."
        elif isinstance(error, OSError) and not isinstance(error, TimeoutError):
            words = f"The tool server {name} cannot be started: {error}."
        elif isinstance(error, TimeoutError):
            words = f"The tool server {name} did not start within {self._start_timeout:g} s."
        else:
            words = f"The tool server {name} cannot be used: {self._words(error).rstrip('.')}."
        said = await asyncio.to_thread(self._errors.tail) if self._source.url is None else ""
        return f"{words} It said:\n{said}" if said else words

    def _words(self, error: BaseException) -> str:
        if isinstance(error, pydantic.ValidationError):
            return hide_secrets(first_problem(error), self._source.secrets)
        return words_of(error, self._source.secrets)


class _Progress:
    """Progress of a call, throttled: a server may report a thousand times a second."""

    def __init__(self, ctx: ToolContext) -> None:
        self._ctx = ctx
        self._newest: dict[str, Any] | None = None
        self._busy = False
        self.over = False

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        fields = {"progress": progress, "total": total, "message": message}
        self._newest = {key: value for key, value in fields.items() if value is not None}
        if self._busy:
            return
        self._busy = True
        try:
            while self._newest is not None and not self.over:
                newest, self._newest = self._newest, None
                await self._ctx.report(newest)
                await asyncio.sleep(_PROGRESS_INTERVAL)
        except Exception as error:  # the call has an outcome already, or the report is too long
            _log.debug("progress of %s is not shown: %s", self._ctx.tool_name, first_of(error))
        finally:
            self._busy = False


def outcome(result: CallToolResult) -> Any:
    """Return a tool's result as plain JSON.

    Structured content comes first, with content that is not text beside it. Text alone is a string. A picture
    keeps its data, which `take_pictures` stores as a file; other binary content of more than a few KB is
    replaced by its type and size.

    Raises:
        ToolServerError: the server reports that the tool failed; with the server's message.
    """
    blocks = [_block(block) for block in result.content]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    if result.is_error:
        raise ToolServerError(_message(blocks, result.structured_content), kind="refused")
    others = [block for block in blocks if block["type"] != "text"]
    if result.structured_content is not None:
        structured: Any = result.structured_content
        return {"structured": structured, "content": others} if others else structured
    if others:
        return blocks
    return "\n".join(texts) if texts else None


def _message(blocks: list[dict[str, Any]], structured: Any) -> str:
    """Return the message of a failed call: its texts, else its structured content."""
    words = "\n".join(str(block.get("text", "")) for block in blocks).strip()
    if not words and structured:
        words = json.dumps(structured, ensure_ascii=False)
    return words or "The tool failed without an error message."


def _block(block: ContentBlock) -> dict[str, Any]:
    if block.type == "text":
        return {"type": "text", "text": block.text}
    if block.type == "image":
        return {"type": "image", "mimeType": block.mime_type, "data": block.data}
    if block.type == "audio":
        return {"type": "audio", "mimeType": block.mime_type, **_binary(block.data)}
    if block.type == "resource_link":
        fields = block.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {key: fields[key] for key in _LINK_FIELDS if key in fields}
    found = block.resource
    kind = {"mimeType": found.mime_type} if found.mime_type else {}
    if not isinstance(found, BlobResourceContents):
        return {"type": "resource", "uri": str(found.uri), **kind, "text": found.text}
    if is_picture(found.blob, found.mime_type or ""):
        return {"type": "image", "uri": str(found.uri), **kind, "data": found.blob}
    text = _text(found.blob) if _TEXT_TYPES.match(found.mime_type or "") else None
    inner = _binary(found.blob) if text is None else {"text": text}
    return {"type": "resource", "uri": str(found.uri), **kind, **inner}


def _text(base64: str) -> str | None:
    """Return the text that a server has sent as binary content; None if it is none."""
    try:
        return decode_text(b64decode(base64, validate=True))
    except ValueError:
        return None


def _binary(base64: str) -> dict[str, Any]:
    size = len(base64) * 3 // 4 - base64[-2:].count("=")
    if len(base64) <= _MAX_BASE64:
        return {"bytes": size, "data": base64}
    return {"bytes": size, "leftOut": "Too long, and not text."}
