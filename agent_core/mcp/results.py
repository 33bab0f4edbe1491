"""Convert the answers of a server to JSON for the store and the model."""

from __future__ import annotations

from typing import Any

from mcp_types import BlobResourceContents, CallToolResult, ContentBlock

from agent_core.errors import ToolServerError

_KEPT = 4096  # characters of base64, which costs tokens and is of no use to a model
_LINK = ("type", "uri", "name", "title", "description", "mimeType", "size")


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
        raise ToolServerError(
            "\n".join(texts).strip() or "The tool failed without an error message.", kind="refused"
        )
    others = [block for block in blocks if block["type"] != "text"]
    if result.structured_content is not None:
        structured: Any = result.structured_content
        return {"structured": structured, "content": others} if others else structured
    if others:
        return blocks
    return "\n".join(texts) if texts else None


def _block(block: ContentBlock) -> dict[str, Any]:
    if block.type == "text":
        return {"type": "text", "text": block.text}
    if block.type == "image":
        return {"type": "image", "mimeType": block.mime_type, "data": block.data}
    if block.type == "audio":
        return {"type": "audio", "mimeType": block.mime_type, **_binary(block.data)}
    if block.type == "resource_link":
        fields = block.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {key: fields[key] for key in _LINK if key in fields}
    found = block.resource
    if isinstance(found, BlobResourceContents) and (found.mime_type or "").startswith("image/"):
        return {"type": "image", "uri": str(found.uri), "mimeType": found.mime_type, "data": found.blob}
    inner = _binary(found.blob) if isinstance(found, BlobResourceContents) else {"text": found.text}
    kind = {"mimeType": found.mime_type} if found.mime_type else {}
    return {"type": "resource", "uri": str(found.uri), **kind, **inner}


def _binary(base64: str) -> dict[str, Any]:
    size = len(base64) * 3 // 4 - base64[-2:].count("=")
    if len(base64) <= _KEPT:
        return {"bytes": size, "data": base64}
    return {"bytes": size, "leftOut": "It is too long, and no text."}
