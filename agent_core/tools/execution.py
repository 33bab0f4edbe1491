"""Run a tool's handler once, with a timeout and isolation from its failures."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from agent_core.sentences import sentence
from agent_core.support.execution_record import in_thread
from agent_core.tools.arguments import validate
from agent_core.tools.tool import Tool, unwrap
from agent_core.tools.tool_context import ToolContext


class ToolTimeoutError(TimeoutError):
    """A tool exceeded its `timeout`; a TimeoutError of the handler itself is not converted to this."""


async def execute(tool: Tool, arguments: dict[str, Any], ctx: ToolContext) -> Any:
    """Run the handler once, with the result of `parse_arguments`, and return its result.

    A sync handler runs in a thread of its own, with this task's context variables. A thread
    cannot be ended: after a timeout or a stop it continues, and its result is dropped.

    Raises:
        ValidationError: the arguments are invalid.
        ToolTimeoutError: the attempt exceeded `tool.timeout`.
        Exception: the exception of the handler. SystemExit and the like, and a cancellation by the
            handler itself, become a RuntimeError; a cancellation from outside passes.
    """
    call = _bind(tool, validate(tool, arguments), ctx)
    scope = asyncio.timeout(tool.timeout)
    try:
        async with scope:
            return await _run(tool, call)
    except TimeoutError:
        if scope.expired():
            raise ToolTimeoutError(sentence("tool_timed_out", tool=tool.name, seconds=tool.timeout)) from None
        raise


def _bind(tool: Tool, model: BaseModel | dict[str, Any], ctx: ToolContext) -> Callable[[], Any]:
    kwargs: dict[str, Any] = {}
    if tool.takes_context:
        kwargs[tool.takes_context] = replace(ctx, _loop=asyncio.get_running_loop())
    if tool.takes_model or isinstance(model, dict):
        return functools.partial(tool.handler, model, **kwargs)
    kwargs |= {parameter: getattr(model, field) for field, parameter in tool.keywords.items()}
    return functools.partial(tool.handler, **kwargs, **(model.model_extra or {}))


async def _run(tool: Tool, call: Callable[[], Any]) -> Any:
    try:
        result = call() if _is_async(tool) else await _in_thread(call, tool.name)
        return await result if inspect.isawaitable(result) else result
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError(sentence("tool_cancelled_itself", tool=tool.name)) from error
    except (Exception, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise RuntimeError(sentence("tool_raised", tool=tool.name, error=repr(error))) from error


async def _in_thread(call: Callable[[], Any], name: str) -> Any:
    """Run `call` in a daemon thread, so that a hanging handler does not keep the process alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def finish(outcome: tuple[Any, BaseException | None]) -> None:
        if not future.done():
            future.set_result(outcome)

    def recorded() -> Any:
        with in_thread():
            return call()

    def run() -> None:
        try:
            outcome = context.run(recorded), None
        except BaseException as error:
            outcome = None, error
        try:
            loop.call_soon_threadsafe(finish, outcome)
        except RuntimeError:  # the loop is closed, so the result is not needed
            return

    threading.Thread(target=run, name=f"tool {name}", daemon=True).start()
    result, error = await future
    if error is None:
        return result
    if isinstance(error, Exception):
        raise error
    raise RuntimeError(sentence("tool_raised", tool=name, error=repr(error))) from error


def _is_async(tool: Tool) -> bool:
    handler = unwrap(tool.handler)
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
