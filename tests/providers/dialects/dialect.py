"""Base of the dialects: the bytes of a reply, and the requests that a strict provider refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from tests.providers.dialects.script import Item, Json, Reply, Use, uses_of, with_ids
from tests.providers.loopback import Answer


class Dialect:
    """One provider on the wire.

    Attributes:
        model: name of the model in litellm.
        below: path below the server's address that makes litellm's `api_base`.
        id_form: format of the calls' ids, which takes a number.
        names: pattern that names of functions must match, in calls and in tools.
        content_type: content type of the streams.
    """

    model: ClassVar[str]
    below: ClassVar[str] = "/v1"
    id_form: ClassVar[str] = "call_{:08}"
    names: ClassVar[str] = r"[a-zA-Z0-9_-]{1,64}"
    content_type: ClassVar[str] = "text/event-stream"

    def prepared(self, items: Reply, replies: int) -> list[Item]:
        """Return the reply with an id for each call that no earlier reply has used."""
        return with_ids(items, 100 * (replies + 1), self.id_form)

    def stream(self, items: Reply) -> list[bytes]:
        """Return the events of a streamed reply, one item each."""
        raise NotImplementedError

    def whole(self, items: Reply) -> Json:
        """Return the body of the same reply without streaming."""
        raise NotImplementedError

    def check(self, request: Json, said: Sequence[Reply]) -> list[str]:
        """Return the provider's complaints about a request; `said` has the provider's replies so far."""
        raise NotImplementedError

    def refusal(self, sentence: str) -> Answer:
        """Return an answer with status 400 in the provider's form."""
        return Answer(400, {"error": {"message": sentence, "type": "invalid_request_error", "code": None}})


def asserted(check: Callable[..., None], *arguments: Any) -> Iterator[str]:
    """Yield the message of an assertion that `check` fails."""
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
    """Return the reply that made some calls (id, arguments) of a request, or None for another model's."""
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
    """Split a text into the fragments of a stream."""
    return [text[place : place + size] for place in range(0, len(text), size)] or [""]


def arguments_of(use: Use) -> str:
    return json.dumps(use.arguments, ensure_ascii=False)
