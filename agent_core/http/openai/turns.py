"""Begin the turns of requests, once for each idempotency key, and find turns by the ids of their answers.

The id of an answer is that of the user's message that it answers, so the database knows it as soon as the turn begins.
With an idempotency key, the ids of the message and of a new thread are derived from the key and the caller: a
request that is sent again, to any process, finds the turn that the first one began.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from agent_core.agent import CallContext
from agent_core.api.base import storable
from agent_core.domain.messages import Part, Thread
from agent_core.domain.turn_options import TurnOptions
from agent_core.errors import AccessDeniedError, DuplicateMessageError, ValidationError
from agent_core.http.openai.body.content import stored
from agent_core.http.openai.body.messages import Sent
from agent_core.http.openai.errors import RequestError
from agent_core.http.openai.paths import IDEMPOTENCY_HEADER
from agent_core.http.requests import is_object
from agent_core.store.reads.client_messages import Prompt, find_prompts
from agent_core.support.ids import new_id

if TYPE_CHECKING:
    from agent_core.api import AgentApi

ABOUT = "openai"
"""Key of what is kept of a request in the metadata of its message."""
_MAX_KEY = 1_000  # characters
_PART = re.compile(r"(.+)_([2-9]|[1-9][0-9]{1,3})", re.S)
_TEXT = {"type": "text"}
_NOTHING = TurnOptions()
_DELIVERY = frozenset({"stream", "stream_options", "background"})
"""Parameters that may change when a request is sent again: they say how the answer is delivered."""


@dataclass(frozen=True, slots=True)
class Place:
    """A turn: its thread, and the user's message that began it, whose id is that of the answer.

    Attributes:
        created_at: seconds since the epoch.
        about: what was kept of the request; `begins`: whether it has created the thread.
        part: number of the turn's part that is the answer; see `agent_core.http.openai.answers.parts`.
    """

    thread_id: str
    message_id: str
    created_at: float
    about: Mapping[str, Any]
    part: int = 0

    @property
    def answer_id(self) -> str:
        """The id of the answer."""
        return self.id_of(self.part)

    def id_of(self, part: int) -> str:
        """Return the id of the answer that is a part of the turn."""
        return f"{self.message_id}_{part + 1}" if part else self.message_id

    @property
    def is_json(self) -> bool:
        """Whether the answer is a JSON object."""
        return self.format["type"] != "text"

    @property
    def format(self) -> Mapping[str, Any]:
        """The type of the answer's form, and the name of its schema."""
        return self.about.get("format", _TEXT)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for.

    Attributes:
        prefix: of the answer's id.
        key: the idempotency key; None: the request has none.
        body: the request.
        messages: the messages; the last one is the user's.
        agent: name of the agent; None: the default one, or that of the thread.
        thread: the thread that is continued; None: a new one.
        after: the message of that thread that the new one follows; None: the last one.
        about: what is kept of the request.
        options: what it asks for beyond the agent.
    """

    prefix: str
    key: str | None
    body: Mapping[str, Any]
    messages: Sequence[Sent]
    agent: str | None = None
    thread: Thread | None = None
    after: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    options: TurnOptions = _NOTHING


def idempotency_key(request: Request) -> str | None:
    """Return the idempotency key of a request; None: it has none.

    Raises:
        RequestError: the key is blank or too long.
    """
    key = request.headers.get(IDEMPOTENCY_HEADER)
    if key is not None and not 0 < len(key.strip()) <= _MAX_KEY:
        raise RequestError(
            f"{IDEMPOTENCY_HEADER} must have 1 to {_MAX_KEY:,} characters.", code="invalid_idempotency_key"
        )
    return key


async def begin(api: AgentApi, asked: Asked, ctx: CallContext | None) -> Place:
    """Begin the turn of a request, unless a request with its key has begun it.

    Raises:
        RequestError: another request had the key, or a message is invalid.
        ThreadBusyError: the thread has another turn in progress.
        ValidationError: a message is invalid.
    """
    digest = digest_of({name: value for name, value in asked.body.items() if name not in _DELIVERY})
    name = None
    if asked.key is not None:
        user = ctx.user_id if ctx else None
        name = digest_of([user, asked.prefix, asked.key])[:32]
        if (found := await find_place(api, f"{asked.prefix}_{name}", ctx)) is not None:
            return _same(found, digest)
    message_id = f"{asked.prefix}_{name}" if name else new_id(asked.prefix)
    metadata = {ABOUT: {**asked.about, "request": digest, "begins": asked.thread is None}}
    try:
        if asked.thread is None:
            await _create(api, asked, message_id, name, metadata, ctx)
        else:
            await _continue(api, asked, asked.thread, message_id, metadata, ctx)
    except (ValidationError, DuplicateMessageError):
        found = await find_place(api, message_id, ctx)
        if found is None:  # else the same request, sent at the same time, was faster
            raise
    found = await find_place(api, message_id, ctx)
    if found is None:
        raise RequestError("The thread was deleted.", code="not_found", status=404)
    return _same(found, digest)


def _same(found: Place, digest: str) -> Place:
    if found.about.get("request") != digest:
        message = f"Another request had this {IDEMPOTENCY_HEADER}; use a new key for each request."
        raise RequestError(message, code="idempotency_key_reused")
    return found


async def _create(
    api: AgentApi,
    asked: Asked,
    message_id: str,
    name: str | None,
    metadata: dict[str, Any],
    ctx: CallContext | None,
) -> None:
    messages: list[dict[str, Any]] = [
        {"role": one.role, "parts": await _parts(api, one, ctx)} for one in asked.messages
    ]
    messages[-1] |= {"id": message_id, "metadata": metadata}
    await api.create_thread(
        messages=messages,
        auto_start=True,
        thread_id=f"thread_{name}" if name else None,
        agent=asked.agent,
        options=asked.options,
        ctx=ctx,
    )


async def _continue(
    api: AgentApi,
    asked: Asked,
    thread: Thread,
    message_id: str,
    metadata: dict[str, Any],
    ctx: CallContext | None,
) -> None:
    parts = await _parts(api, asked.messages[-1], ctx)
    for place, one in enumerate(asked.messages[:-1]):  # of a conversation that has none
        before = {"id": f"{message_id}:{place}", "role": one.role, "parts": await _parts(api, one, ctx)}
        with contextlib.suppress(DuplicateMessageError):  # the request is sent again
            await api.add_message(thread.id, before, ctx=ctx)
    if asked.agent not in (None, thread.agent):
        await api.update_thread(thread.id, agent=asked.agent, ctx=ctx)
    await api.send_message(
        thread.id,
        parts,
        message_id=message_id,
        when_busy="end_wait",
        after=asked.after,
        metadata=metadata,
        options=asked.options,
        ctx=ctx,
    )


async def _parts(api: AgentApi, sent: Sent, ctx: CallContext | None) -> list[Part]:
    return await stored(api, sent.parts, ctx, sent.where)


async def find_place(api: AgentApi, answer_id: str, ctx: CallContext | None) -> Place | None:
    """Return the turn of an answer; None: there is none with this id, or none that the caller may read."""
    found = await _find_prompt(api, answer_id, ctx)
    if found is None and (named := _PART.fullmatch(answer_id)) is not None:
        found = await _find_prompt(api, named[1], ctx)
        return found and replace(found, part=int(named[2]) - 1)
    return found


async def _find_prompt(api: AgentApi, answer_id: str, ctx: CallContext | None) -> Place | None:
    for prompt in await api.store.read(find_prompts, answer_id) if storable(answer_id) else ():
        place = place_of(prompt)
        if place is not None and await find_thread(api, prompt.thread_id, ctx) is not None:
            return place
    return None


def place_of(prompt: Prompt) -> Place | None:
    """Return the turn of a message; None: it was not sent over these paths."""
    about: Any = prompt.metadata.get(ABOUT)
    return Place(prompt.thread_id, prompt.id, prompt.created_at, about) if is_object(about) else None


async def find_thread(api: AgentApi, thread_id: str, ctx: CallContext | None) -> Thread | None:
    """Return a thread; None: there is none with this id, or the caller may not read it."""
    with contextlib.suppress(AccessDeniedError):
        return await api.get_thread(thread_id, ctx=ctx)
    return None


def digest_of(value: Any) -> str:
    """Return a hash of plain JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
