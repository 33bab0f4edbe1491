"""Base of the dialects: how a reply is said, and which requests its strict provider refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from tests.providers.dialects.script import Item, Json, Reply, Use, uses_of, with_ids
from tests.providers.loopback import Answer


class Dialect:
    """One provider as it is on the wire.

    Attributes:
        model: its name in litellm.
        below: path under the server's address that litellm is given as `api_base`.
        id_form: ids of its calls, made from a number.
        names: pattern that names of functions must match, in calls and in tools.
        content_type: of its streams.
    """

    model: ClassVar[str]
    below: ClassVar[str] = "/v1"
    id_form: ClassVar[str] = "call_{:08}"
    names: ClassVar[str] = r"[a-zA-Z0-9_-]{1,64}"
    content_type: ClassVar[str] = "text/event-stream"

    def prepared(self, items: Reply, replies: int) -> list[Item]:
        """Return the reply as it will be said, its calls with ids that no earlier reply had."""
        return with_ids(items, 100 * (replies + 1), self.id_form)

    def stream(self, items: Reply) -> list[bytes]:
        """Return the events of a streamed reply, each whole."""
        raise NotImplementedError

    def whole(self, items: Reply) -> Json:
        """Return the body of the same reply where it is not streamed."""
        raise NotImplementedError

    def check(self, request: Json, said: Sequence[Reply]) -> list[str]:
        """Return why the provider refuses a request, in its words; `said`: its replies so far."""
        raise NotImplementedError

    def refusal(self, sentence: str) -> Answer:
        """Return the answer 400 in the provider's form."""
        return Answer(400, {"error": {"message": sentence, "type": "invalid_request_error", "code": None}})


def asserted(check: Callable[..., None], *arguments: Any) -> Iterator[str]:
    """Yield what a check that asserts has found."""
    try:
        check(*arguments)
    except AssertionError as error:
        yield str(error)
    except (AttributeError, LookupError, TypeError) as error:
        yield f"the history cannot be read: {error!r}"


def misfits(pattern: str, words: Sequence[str]) -> list[str]:
    """Return the words that do not match a pattern."""
    return [word for word in words if not re.fullmatch(pattern, word or "")]


def writer_of(calls: Sequence[tuple[str, Any]], said: Sequence[Reply]) -> list[Item] | None:
    """Return which reply some calls (id, arguments) of a request are from; None: another model's."""
    ids = {id for id, _ in calls}
    for reply in said:
        if ids and ids <= {use.id for use in uses_of(reply)}:
            return list(reply)
    return None


def event(data: Json | str, kind: str = "") -> bytes:
    """Return one server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {kind}\n" if kind else "").encode() + f"data: {text}\n\n".encode()


def pieces(text: str, size: int = 7) -> list[str]:
    """Return a text in the fragments it is streamed in."""
    return [text[place : place + size] for place in range(0, len(text), size)] or [""]


def arguments_of(use: Use) -> str:
    return json.dumps(use.arguments, ensure_ascii=False)
