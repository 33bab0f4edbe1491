"""Define the base of the API's methods: store, default agent, authorization, and checks of arguments."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from agent_core.agent import NOBODY, AnyAgent, CallContext
from agent_core.domain.field_limits import MAX_ID, MAX_METADATA, MAX_TITLE, check_json, check_text
from agent_core.domain.messages import Message, Part, Thread
from agent_core.domain.validation import clean_json, clean_text, message_parts, prompt_parts
from agent_core.errors import AccessDeniedError, MessageNotFoundError, ThreadNotFoundError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.store import Store
from agent_core.store.threads import files
from agent_core.store.threads.messages import NewMessage
from agent_core.store.turns.turns import WhenBusy
from agent_core.support.argument_checks import check_arguments, check_names, shown
from agent_core.support.ids import new_id
from agent_core.support.logs import get_logger

Prompt = str | Sequence[Part]
Authorize = Callable[..., Any]
"""Callback `(ctx, thread_id)` or `(ctx, thread_id, thread)`, sync or async, that raises to deny access."""
_log = get_logger(__name__)
_MAX_NAME = 1_000  # characters of text that is looked up as an id
StatusHook = Callable[[str, str, str], Any]


class HasStore(Protocol):
    """Protocol of a `Runtime`."""

    @property
    def store(self) -> Store:
        """The store of the runtime's threads."""
        ...


def store_of(runtime: HasStore | Store, who: str) -> Store:
    """Return the store of a runtime; `who` is the called function, for the error.

    Raises:
        ValidationError: `runtime` is neither a Runtime nor a Store.
    """
    store = getattr(runtime, "store", runtime)
    if not isinstance(store, Store):
        raise ValidationError(f"runtime of {who} must be a Runtime or a Store, not {shown(runtime)}.")
    return store


class ApiBase:
    """Base of the API classes; it checks the types of the arguments of their public methods."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Wrap the public methods, so that they check their arguments."""
        super().__init_subclass__(**kwargs)
        for name, method in list(vars(cls).items()):
            if inspect.isfunction(method) and not name.startswith("_"):
                setattr(cls, name, _checked(method))

    def __init__(
        self,
        store: Store,
        agent: AnyAgent,
        authorize: Authorize | None,
        exclude_system_messages: bool,
    ) -> None:
        self.store = store
        self.agent = agent
        self._authorize_with = authorize
        self._authorizes_thread = authorize is not None and takes_thread(authorize)
        self._exclude_system = exclude_system_messages

    async def _authorize(self, ctx: CallContext | None, thread_id: str) -> None:
        if not storable(thread_id):
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        if self._authorize_with is not None:
            more = {"thread": await self.store.get_thread(thread_id)} if self._authorizes_thread else {}
            answer = self._authorize_with(ctx, thread_id, **more)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is False:  # a callback denies by raising, but False does not mean yes
                raise AccessDeniedError(sentence("thread_forbidden", thread=thread_id))

    async def _open(self, ctx: CallContext | None, thread_id: str) -> Thread:
        """Authorize the caller and return the thread."""
        await self._authorize(ctx, thread_id)
        return await self._thread(thread_id)

    async def _prepare_send(self, thread_id: str, when_busy: WhenBusy, may_queue: bool) -> None:
        """Check `when_busy`, and before an interruption flush the pending chunks of a step that runs here.

        Raises:
            ValidationError: `when_busy` is not one of the allowed values.
        """
        allowed = ("reject", *(("queue",) if may_queue else ()), "interrupt", "end_wait")
        if when_busy not in allowed:
            words = ", ".join(f'"{one}"' for one in allowed)
            raise ValidationError(f"when_busy must be one of: {words}.")
        if when_busy == "interrupt":
            await self.store.before_stop(thread_id)

    async def _prompt(
        self,
        ctx: CallContext | None,
        prompt: Prompt,
        message_id: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> NewMessage:
        """Return a user's message.

        Raises:
            ValidationError: the prompt, the id or the metadata is invalid.
        """
        parts = prompt_parts(prompt)
        sources = await self._sources(ctx, parts)
        trace = self.store.tracing.sender() if self.store.tracing is not None else None
        given = checked_id(message_id, "msg"), "user", parts, message_metadata(metadata), sources
        return NewMessage(*given, trace=trace)

    async def _message(self, ctx: CallContext | None, message: dict[str, Any]) -> NewMessage:
        """Return a message that the application wrote; see `_new_message`."""
        new = _new_message(message)
        return replace(new, files=await self._sources(ctx, new.parts))

    async def _sources(self, ctx: CallContext | None, parts: Sequence[Part]) -> dict[str, str]:
        """Return the holders from which the caller may take the files in `parts`, by the ids of the files.

        Files that the caller may not take are left out.
        """
        found = {file_id: await self._source(ctx, file_id) for file_id in files.attached(parts)}
        return {file_id: holder for file_id, holder in found.items() if holder is not None}

    async def _source(self, ctx: CallContext | None, file_id: str) -> str | None:
        held = await self.store.read(files.holders, file_id, user_of(ctx))
        own = files.waiting_with(user_of(ctx))
        if own in held:
            return own
        for holder in held:
            if await self._may_read(ctx, holder):
                return holder
        return None

    async def _may_read(self, ctx: CallContext | None, holder: str) -> bool:
        """Whether the caller may read the thread `holder`, or is the application itself."""
        caller = ctx.user_id if ctx else None
        if caller is None and self._authorize_with is None:
            return True
        thread = await self.store.get_thread(holder)
        if thread is None or thread.in_bin:
            return False
        if self._authorize_with is None:  # the rule of `list_threads`
            return thread.user_id in (None, caller)
        try:
            await self._authorize(ctx, holder)
        except Exception:
            _log.debug("Skipped a thread that has an attached file, because the caller may not read it.")
            return False
        return True

    def _agent_name(self, name: str | None) -> str:
        """Return the name of a registered agent; None is the default agent.

        Raises:
            ValidationError: no agent has this name.
        """
        if name is None:
            return self.agent.name
        if name not in self.store.agents:
            known = ", ".join(sorted(self.store.agents))
            raise ValidationError(sentence("agent_not_found", agent=name, agents=known))
        return name

    async def _thread(self, thread_id: str) -> Thread:
        thread = await self.store.get_thread(thread_id)
        if thread is None or thread.in_bin:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        return thread

    async def _stored(self, thread_id: str, message_id: str) -> Message:
        found = await asyncio.to_thread(self.store.reads.message, thread_id, message_id)
        if found is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        return found

    def _shown(self, messages: Sequence[Message]) -> list[Message]:
        return [message for message in messages if not (self._exclude_system and message.role == "system")]


_MEDIA_TYPE = re.compile(r"[^\s/;]+/[^\s/;]+ ?(?:;[^/]*)?")
"""A type and a subtype, with or without parameters."""

_READ = ("prompt", "message", "messages", "message_id", "metadata", "trigger", "since", "until")
"""Parameters that have checks, and error messages, of their own."""


def _checked(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that raises ValidationError for arguments that do not fit its annotations.

    An error of the authorization comes first.
    """

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        check_names(method, kwargs)
        check_arguments(method, args, kwargs, but=_READ)
        return method(*args, **kwargs)

    @functools.wraps(method)
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        check_names(method, kwargs)
        try:
            check_arguments(method, args, kwargs, but=_READ)
        except ValidationError:
            await _deny(inspect.signature(method).bind_partial(*args, **kwargs).arguments)
            raise
        return await method(*args, **kwargs)

    return call_async if inspect.iscoroutinefunction(method) else call


async def _deny(arguments: Mapping[str, Any]) -> None:
    """Authorize the caller and the thread among the arguments."""
    ctx, thread_id = arguments.get("ctx"), arguments.get("thread_id")
    if isinstance(thread_id, str) and isinstance(ctx, CallContext | None):
        await arguments["self"]._authorize(ctx, thread_id)


def takes_thread(authorize: Authorize) -> bool:
    """Whether a callback has a parameter `thread`; False if it has no signature."""
    try:
        parameter = inspect.signature(authorize).parameters.get("thread")
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.kind in (
        parameter.POSITIONAL_OR_KEYWORD,
        parameter.KEYWORD_ONLY,
    )


def owner_of(ctx: CallContext | None, user_id: str | None) -> str | None:
    """Return the owner whose threads a list has: the user who calls, if there is one; None: all owners.

    NOBODY: no thread can match.
    """
    caller = ctx.user_id if ctx else None
    if caller is None:
        return user_id if user_id is None or storable(user_id) else NOBODY
    return caller if user_id in (None, caller) and storable(caller) else NOBODY


def storable(name: object) -> bool:
    """Whether text can be an id in a row: every database can store it, and it is not too long."""
    return isinstance(name, str) and len(name) <= _MAX_NAME and clean_text(name) == name


def _new_message(message: dict[str, Any]) -> NewMessage:
    """Return a message from a dict with role, parts or content, and optionally id and metadata.

    Raises:
        ValidationError: a field is invalid.
    """
    if not isinstance(message, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("A message is a dict with a role, and parts or content.")
    role = message.get("role")
    if role not in ("user", "assistant", "system"):
        raise ValidationError(f"A message's role is user, assistant or system, not {role!r:.60}.")
    given = message.get("parts")
    if given is None:
        given = [{"type": "text", "text": message.get("content")}]
    return NewMessage(
        checked_id(message.get("id"), "msg"),
        role,
        message_parts(role, given),
        message_metadata(message.get("metadata")),
    )


def checked_id(given: str | None, prefix: str) -> str:
    """Return a given id, or a new one with a prefix.

    Raises:
        ValidationError: the id is empty, too long, or has characters that a row or a key cannot have.
    """
    if given is None:
        return new_id(prefix)
    if not storable(given) or not 0 < len(given) <= MAX_ID:
        raise ValidationError(f"An id is a text of 1 to {MAX_ID} characters, not {given!r:.60}.")
    if prefix == "thread" and ":" in given:  # the separator in keys of wake-ups
        raise ValidationError("A thread's id has no colon.")
    return given


def known_id(message_id: str) -> str:
    """Return the id of a message that may exist.

    Raises:
        MessageNotFoundError: no row can have this id.
    """
    if not storable(message_id):
        raise MessageNotFoundError(sentence("message_not_found", message=message_id))
    return message_id


_OURS = frozenset({"queued", "withdrawn"})


def message_metadata(given: dict[str, Any] | None) -> dict[str, Any]:
    """Return a message's metadata as plain JSON.

    Raises:
        ValidationError: it is not a dict of plain JSON, or has a key that the queue uses.
    """
    checked = checked_metadata(given)
    if taken := sorted(_OURS & checked.keys()):
        raise ValidationError(
            f"The key {taken[0]!r:.60} of a message's metadata is reserved; choose another name."
        )
    return checked


def checked_metadata(given: dict[str, Any] | None) -> dict[str, Any]:
    """Return metadata as plain JSON.

    Raises:
        ValidationError: it is not a dict of plain JSON, or too long.
    """
    if given is not None and not isinstance(given, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("metadata is a dict of plain JSON.")
    clean = clean_json(given or {})
    check_json("The metadata", clean, MAX_METADATA)
    return clean


def checked_title(given: str | None) -> str | None:
    """Return a title without characters that databases cannot store.

    Raises:
        ValidationError: it is not text, or too long.
    """
    check_text("The title", given, MAX_TITLE)
    return None if given is None else clean_text(given)


def checked_media_type(given: str) -> str:
    """Return a media type.

    Raises:
        ValidationError: it is not one.
    """
    if not _MEDIA_TYPE.fullmatch(given) or not given.isprintable() or len(given) > MAX_ID:
        raise ValidationError(f"{given!r:.60} is not a media type; give one such as image/png.")
    return given


def user_of(ctx: CallContext | None) -> str | None:
    """Return the name of the user who calls, to be stored.

    Raises:
        ValidationError: the name is too long, or has characters that databases cannot store.
    """
    name = ctx.user_id if ctx else None
    check_text("The user's name", name, MAX_ID)
    if name is not None and not storable(name):
        raise ValidationError(f"The user's name is text that a database can store, not {name!r:.60}.")
    return name
