"""Filter the messages from a server on their way to the MCP library."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

import pydantic
from mcp_types import JSONRPCResponse
from mcp_types.methods import validate_server_result

from agent_core.support.plain_json import fields_of, items_of

Drop = Callable[[str, str], None]


class MessageFilter:
    """Filter around a transport's stream of messages.

    The filter calls `ended` at the end of the stream, which the library would notice only at its next request, and
    removes invalid tools from lists with `filter_result`, because the library rejects the whole list for one of them.
    """

    def __init__(
        self,
        stream: Any,
        ended: Callable[[], None],
        filter_result: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> None:
        self._stream = stream
        self._ended = ended
        self._filter = filter_result

    @property
    def last_context(self) -> Any:
        """Context of the sender of the last message, if the transport has it."""
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Any:
        """Return the next message."""
        return self._filtered(await self._stream.receive())

    async def aclose(self) -> None:
        """Close the transport's stream."""
        await self._stream.aclose()

    def __aiter__(self) -> MessageFilter:
        return self

    async def __anext__(self) -> Any:
        try:
            return self._filtered(await self._stream.__anext__())
        except BaseException:
            self._ended()
            raise

    async def __aenter__(self) -> MessageFilter:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stream.__aexit__(kind, error, trace)

    def _filtered(self, item: Any) -> Any:
        message = getattr(item, "message", None)
        if isinstance(message, JSONRPCResponse):
            message.result = self._filter(message.result)
        return item


def without_bad_tools(result: dict[str, Any], version: str, drop: Drop) -> dict[str, Any]:
    """Return a list of tools without those that are invalid in this version of the protocol.

    `drop` gets the name of each removed tool, and the reason. Any other result is returned as it is.
    """
    if not isinstance(result.get("tools"), list) or _problem(result | {"tools": []}, version):
        return result
    good: list[Any] = []
    for tool in items_of(result["tools"]):
        if problem := _problem(result | {"tools": [tool]}, version):
            drop(str(fields_of(tool).get("name")), problem)
        else:
            good.append(tool)
    return result | {"tools": good}


def _problem(result: dict[str, Any], version: str) -> str | None:
    try:
        validate_server_result("tools/list", version, result)
    except pydantic.ValidationError as error:
        return first_problem(error, skip=2)
    return None


def first_problem(error: pydantic.ValidationError, skip: int = 0) -> str:
    """Return the first problem that pydantic found, and its place without the first `skip` names."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc'][skip:]))}: {found['msg']}"
