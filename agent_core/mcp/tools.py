"""Convert a server's tools to tools of an agent, with its hints and the application's overrides."""

from __future__ import annotations

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from agent_core.errors import ToolServerError, ValidationError, words_of
from agent_core.support.argument_checks import check_items
from agent_core.support.retry import RetryPolicy
from agent_core.tools import TOOL_NAME, JsonSchema, Tool, ToolContext

if TYPE_CHECKING:
    import mcp_types

Call = Callable[[str, dict[str, Any], ToolContext], Coroutine[Any, Any, Any]]
_ANY_TOOL = "*"
_MAX_NAME = 64
_REFUSED = re.compile(r"[^A-Za-z0-9_-]")


class ToolOverrides(TypedDict, total=False):
    """Options of one tool from the application, which override the server's hints.

    Attributes:
        needs_approval: whether a person must approve each call before it runs.
        retry: True or a policy allows a call to run again after an error and after a crash;
            False forbids retries.
        rerun_on_interrupt: whether a call runs again if its process, ours or the server's, died.
        timeout: maximum seconds of one attempt, including connecting.
        description: description for the model instead of the server's.
    """

    needs_approval: bool
    retry: RetryPolicy | bool | None
    rerun_on_interrupt: bool
    timeout: float | None
    description: str


@dataclass(frozen=True)
class ToolConverter:
    """Converter of a server's tools to tools of an agent.

    Args:
        prefix: prefix of each name.
        only: names on the server of the tools to convert; None for all.
        overrides: options by name on the server; "*" is for every tool that is not named.
        timeout: maximum seconds of one attempt at a call; None for no limit.
        trust_hints: whether to trust the server's annotations.

    Raises:
        ValidationError: an argument is invalid.
    """

    prefix: str | None
    only: frozenset[str] | None
    overrides: Mapping[str, ToolOverrides]
    timeout: float | None
    trust_hints: bool

    def __post_init__(self) -> None:
        """Check every field."""
        if self.prefix is not None and not TOOL_NAME.fullmatch(self.prefix):
            raise ValidationError(f"The prefix {self.prefix!r} must be letters, digits, _ and -.")
        known = ToolOverrides.__annotations__
        for name, options in self.overrides.items():
            if not isinstance(options, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValidationError(f"overrides[{name!r}] is a dict of options, such as {{'timeout': 5}}.")
            if odd := options.keys() - known:
                raise ValidationError(
                    f"overrides[{name!r}] has no {', '.join(sorted(odd))}; it takes {', '.join(known)}."
                )
            check_items(options, ToolOverrides, f"overrides[{name!r}]")
        for timeout in (self.timeout, *(options.get("timeout") for options in self.overrides.values())):
            if timeout is not None and not timeout > 0:
                raise ValidationError("The timeout of a tool must be seconds, more than 0.")

    def check(self, names: Iterable[str]) -> None:
        """Check that the server has the tools named in `only` and `overrides`.

        Raises:
            ValidationError: a named tool is missing: with a typo a tool would lack the approval that
                it should need.
        """
        have = sorted(set(names))
        if missing := sorted(((self.only or frozenset()) | self.overrides.keys()) - {*have, _ANY_TOOL}):
            raise ValidationError(
                f"The server has no tool {', '.join(map(repr, missing))}; it has: {', '.join(have) or 'none'}."
            )

    def tools(self, listed: Sequence[mcp_types.Tool], call: Call) -> tuple[list[Tool], dict[str, str]]:
        """Return the tools, which are called by `call`, and the reason for each omitted tool by its name."""
        wanted = {tool.name: tool for tool in reversed(listed) if self.only is None or tool.name in self.only}
        names = tool_names(wanted, self.prefix)
        tools: dict[str, Tool] = {}
        skipped: dict[str, str] = {}
        for name in reversed(wanted):
            try:
                if names[name] in tools:
                    raise ValidationError(f"The name {names[name]!r} is taken by another of its tools.")
                tools[names[name]] = self._tool(wanted[name], names[name], call)
            except ValidationError as error:
                skipped[name] = words_of(error)
        return list(tools.values()), skipped

    def _tool(self, listed: mcp_types.Tool, name: str, call: Call) -> Tool:
        options: ToolOverrides = {**self.overrides.get(_ANY_TOOL, {}), **self.overrides.get(listed.name, {})}
        rerun, approval = self._hints(listed.annotations)
        if "retry" in options:
            rerun = bool(options["retry"])
        rerun = options.get("rerun_on_interrupt", rerun)
        retry = options["retry"] if "retry" in options else _policy(rerun)
        return Tool(
            name=name,
            description=options.get("description", listed.description or listed.title or ""),
            args_model=JsonSchema(listed.input_schema),
            handler=functools.partial(call, listed.name),
            retry=RetryPolicy.of(retry),
            timeout=options.get("timeout", self.timeout),
            rerun_on_interrupt=rerun,
            needs_approval=options.get("needs_approval", approval),
            takes_context="ctx",
        )

    def _hints(self, hints: mcp_types.ToolAnnotations | None) -> tuple[bool, bool]:
        """Return (may run again, needs approval).

        Hints of an untrusted server are ignored in favour of the safe values. Of two contradictory
        hints the safer one counts.
        """
        if not self.trust_hints:
            return False, True
        if hints is None:
            return False, False
        destructive = bool(hints.destructive_hint)
        read_only = bool(hints.read_only_hint) and not destructive
        return read_only or bool(hints.idempotent_hint), destructive


def _policy(rerun: bool) -> RetryPolicy:
    """Return the retry policy of a call: it is retried if it never reached the server.

    A call that may run twice is also retried if the connection was lost; an answered call never is.
    """
    kinds = ("unreachable", "lost") if rerun else ("unreachable",)

    def should_retry(error: BaseException) -> bool:
        return isinstance(error, ToolServerError) and error.kind in kinds

    return RetryPolicy(max_attempts=4, initial_delay=0.5, max_delay=10, should_retry=should_retry)


def tool_names(names: Iterable[str], prefix: str | None = None) -> dict[str, str]:
    """Return the name of each tool for providers, by its name on the server; a prefix is followed by `_`.

    Valid names stay unchanged. In other names invalid characters become `_`. If that results in a
    duplicate, or in more than 64 characters, a few digits of the hash of the server's name are appended;
    the result does not depend on the order of the tools.
    """
    wanted = {name: f"{prefix}_{name}" if prefix else name for name in dict.fromkeys(names)}
    plain = {name: _REFUSED.sub("_", long) for name, long in wanted.items()}
    exact = {long for long in wanted.values() if TOOL_NAME.fullmatch(long)}
    taken = Counter(plain.values())
    return {
        name: long
        if long in exact
        else _hashed(short, name)
        if len(short) > _MAX_NAME or taken[short] > 1 or not short
        else short
        for (name, long), short in zip(wanted.items(), plain.values(), strict=True)
    }


def _hashed(short: str, name: str) -> str:
    digits = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{short[: _MAX_NAME - len(digits) - 1]}_{digits}"
