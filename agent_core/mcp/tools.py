"""A server's tools made into tools of an agent: what is believed of its hints, and what overrules them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from agent_core.errors import ToolServerError, ValidationError, words_of
from agent_core.mcp.tool_names import tool_names
from agent_core.support.argument_checks import check_items
from agent_core.support.retry import RetryPolicy
from agent_core.tools import TOOL_NAME, JsonSchema, Tool, ToolContext

if TYPE_CHECKING:
    import mcp_types

Call = Callable[[str, dict[str, Any], ToolContext], Coroutine[Any, Any, Any]]
EVERY = "*"


class ToolOverrides(TypedDict, total=False):
    """What the application knows of one tool; it counts for more than the server's hints.

    Attributes:
        needs_approval: whether a person must approve each call before it runs.
        retry: True or a policy says that a call may run again after an error and after a crash;
            False that it is never tried again.
        rerun_on_interrupt: whether a call runs again whose process, ours or the server's, died.
        timeout: seconds that one attempt may take, connecting included.
        description: what the model is told instead of the server's words.
    """

    needs_approval: bool
    retry: RetryPolicy | bool | None
    rerun_on_interrupt: bool
    timeout: float | None
    description: str


@dataclass(frozen=True)
class Mount:
    """How a server's tools become tools here.

    Args:
        prefix: stands before each name.
        only: the server's names of the tools that are wanted; None for all.
        overrides: by the server's name; "*" is for every tool that is not named.
        timeout: seconds that one attempt at a call may take; None for no limit.
        trust_hints: whether the server's annotations are believed.

    Raises:
        ValidationError: an argument is not acceptable.
    """

    prefix: str | None
    only: frozenset[str] | None
    overrides: Mapping[str, ToolOverrides]
    timeout: float | None
    trust_hints: bool

    def __post_init__(self) -> None:
        """Check every value once, where the mistake was made."""
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
        """Compare what was asked for with the names that the server has.

        Raises:
            ValidationError: `only` or `overrides` names a tool that is not there: a slip of the pen
                there would leave a tool without the approval that it was to have.
        """
        have = sorted(set(names))
        if missing := sorted(((self.only or frozenset()) | self.overrides.keys()) - {*have, EVERY}):
            raise ValidationError(
                f"The server has no tool {', '.join(map(repr, missing))}; it has: {', '.join(have) or 'none'}."
            )

    def tools(self, listed: Sequence[mcp_types.Tool], call: Call) -> tuple[list[Tool], dict[str, str]]:
        """Return the tools, and why each of those that cannot be used was left out, by name.

        Args:
            listed: as the server listed them.
            call: makes a call: the server's name of the tool, the arguments, the context.
        """
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
        options: ToolOverrides = {**self.overrides.get(EVERY, {}), **self.overrides.get(listed.name, {})}
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

        A server that is not trusted would lie about both, so then the careful answer is given to
        both. Of two hints that contradict each other the careful one is believed.
        """
        if not self.trust_hints:
            return False, True
        if hints is None:
            return False, False
        destructive = bool(hints.destructive_hint)
        read_only = bool(hints.read_only_hint) and not destructive
        return read_only or bool(hints.idempotent_hint), destructive


def _policy(rerun: bool) -> RetryPolicy:
    """Return when a call is made again: if it never reached the server.

    One that may run twice also if the connection was lost; what the server answered, never.
    """
    kinds = ("unreachable", "lost") if rerun else ("unreachable",)

    def should_retry(error: BaseException) -> bool:
        return isinstance(error, ToolServerError) and error.kind in kinds

    return RetryPolicy(max_attempts=4, initial_delay=0.5, max_delay=10, should_retry=should_retry)
