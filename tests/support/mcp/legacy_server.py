"""An MCP server of an older protocol (2025-06-18), written from the specification without a library.

It makes the mistakes of real servers: tools with malformed schemas, a duplicate name, noise on standard
output, and (with the argument `change`) a different list of tools after the first call.
"""

from __future__ import annotations

import json
import sys
from typing import Any

OBJECT = {"type": "object"}
TOOLS: list[dict[str, Any]] = [
    {"name": "good", "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}}}},
    {"name": "good", "inputSchema": OBJECT, "description": "the same name again"},
    {"name": "no type", "inputSchema": {"type": "object", "properties": {"a": {"type": "objekt"}}}},
    {"name": "no list", "inputSchema": {"type": "object", "required": "a"}},
    {
        "name": "abroad",
        "inputSchema": {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/"}}},
    },
    {"name": "nowhere", "inputSchema": {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}}},
    {
        "name": "slow",
        "inputSchema": {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}},
    },
]


def say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {"listChanged": True}},
            "serverInfo": {"name": "old", "version": "1"},
        }
    if method == "tools/list":
        # The list has two pages.
        first = "cursor" not in params
        return {"tools": TOOLS[:3], "nextCursor": "2"} if first else {"tools": TOOLS[3:]}
    assert method == "tools/call"
    if params["name"] == "gone":
        return {"content": "this is no content"}
    if "change" in sys.argv:
        TOOLS[:] = [*TOOLS[:3], {"name": "fresh", "inputSchema": OBJECT}]
        say({"method": "notifications/tools/list_changed"})
    return {"content": [{"type": "text", "text": json.dumps(params["arguments"])}]}


sys.stdout.write("Listening on nothing at all\n")
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] in ("initialize", "tools/list", "tools/call"):
        say({"id": message["id"], "result": answer(message["method"], message.get("params") or {})})
    else:
        say({"id": message["id"], "error": {"code": -32601, "message": "Method not found"}})
