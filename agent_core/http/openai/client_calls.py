"""Continue turns with the outcomes of calls that the client has run.

The id of a call says which turn waits for it, so no key is needed: outcomes that are sent again, or by two
requests at once, get the answer that follows the first ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from agent_core.agent import CallContext
from agent_core.domain.turn_options import TurnOptions, is_client_call
from agent_core.http.openai.body.messages import ToolAnswer, open_call_error, unknown_call_error
from agent_core.http.openai.turns import Place, find_thread, place_of
from agent_core.store.reads.client_calls import find_client_calls
from agent_core.store.tool_calls.outcomes import answer_client_calls
from agent_core.tools import encode_result

if TYPE_CHECKING:
    from agent_core.api import AgentApi

_MOST = 500  # calls of one history that are looked up


async def answer_calls(
    api: AgentApi,
    answers: Sequence[ToolAnswer],
    options: TurnOptions,
    ctx: CallContext | None,
    where: str,
) -> Place:
    """Give the newest calls among `answers` their outcomes; return the part of their turn that follows.

    Args:
        options: what the rest of the turn is asked for.
        where: the parameter that has the outcomes.

    Raises:
        RequestError: there is no such call for the caller, or a call of the same answer has no outcome.
        ValidationError: an outcome is too long.
    """
    given = {one.call_id: one.output or "" for one in answers[-_MOST:] if is_client_call(one.call_id)}
    found = await _places(api, list(given), ctx)
    if answers[-1].call_id not in found:
        raise unknown_call_error(answers[-1].call_id, where)
    newest = found[answers[-1].call_id]
    results = {
        call_id: encode_result(given[call_id])
        for call_id, place in found.items()
        if (place.thread_id, place.part) == (newest.thread_id, newest.part)
    }
    left = await api.store.writer.run(answer_client_calls, newest.thread_id, results, options.as_json())
    if left:
        raise open_call_error(left[0], where)
    return newest


async def _places(api: AgentApi, ids: list[str], ctx: CallContext | None) -> dict[str, Place]:
    """Return the parts that follow calls, by their ids; calls that the caller may not read are left out."""
    found: dict[str, Place] = {}
    readable: dict[str, bool] = {}
    for call in await api.store.read(find_client_calls, ids):
        thread_id = call.prompt.thread_id
        if thread_id not in readable:
            readable[thread_id] = await find_thread(api, thread_id, ctx) is not None
        place = place_of(call.prompt) if readable[thread_id] else None
        if place is not None and call.id not in found:
            found[call.id] = replace(place, part=call.part)
    return found
