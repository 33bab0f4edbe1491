"""Count usage towards budgets: of ended, failed and cut-off attempts, and of the time before the budget."""

from __future__ import annotations

from pathlib import Path

from agent_core import AgentApi, Budget, ModelTitle, errors
from agent_core.testing import eventually
from tests.support.agents import Follower, finished
from tests.support.limits import BOB, COST, asked, on, state_of


async def test_a_new_budget_begins_with_what_was_used_before(path: Path) -> None:
    async with on(path) as api:
        for _ in range(3):
            await finished(api, await asked(api))
        await finished(api, await asked(api, ctx=BOB))
        await api.limits.set_budget(Budget(usd=9), user_id="ann")
        await api.limits.set_budget(Budget(usd=9, per="month"), agent="assistant")
        await finished(api, await asked(api))
        (of_ann,) = await api.limits.list_budgets(user_id="ann")
        (of_agent,) = await api.limits.list_budgets(agent="assistant")
        assert (of_ann.usd, of_ann.tokens) == (2.0, 60)
        assert (of_agent.usd, of_agent.tokens) == (2.5, 75)


async def test_failed_attempts_and_titles_count(path: Path) -> None:
    failure = errors.ModelError("No.", kind="provider_5xx", retryable=True)
    turns = [[COST, failure], ["Well.", COST], ["Greeting", COST]]
    async with on(path, turns, title=ModelTitle()) as api:
        await api.limits.set_budget(Budget(usd=9), user_id="ann")
        thread_id = await asked(api)

        async def used() -> bool:
            (use,) = await api.limits.list_budgets(user_id="ann")
            return use.usd == 1.5

        await eventually(used)
        thread = await api.get_thread(thread_id)
        assert thread is not None
        assert thread.title == "Greeting"


async def test_a_person_who_ends_each_answer_early_does_not_avoid_a_budget(path: Path) -> None:
    """100 tokens of an answer, and some of the request: the third answer is the last one."""
    async with on(path, lambda _: ["Well " * 70, 60.0, COST]) as api:
        await api.limits.set_budget(Budget(tokens=400), user_id="ann")
        stopped = await _begun(api)
        await api.stop_thread(stopped)
        deleted = await _begun(api)
        await api.delete_thread(deleted)
        await api.stop_thread(await _begun(api))
        assert (await state_of(api, await asked(api)))["kind"] == "budget"
        (use,) = await api.limits.list_budgets(user_id="ann")
        summary = (await api.insight.usage_summary()).total
        assert use.tokens == summary.total_tokens == 3 * (await _estimated(api, stopped))
        assert (summary.requests, summary.metered, summary.estimated) == (3, 0, 3)
        await api.limits.remove_budget("day", user_id="ann")
        await api.limits.set_budget(Budget(tokens=9_999), user_id="ann")  # counts the threads that are left
        (again,) = await api.limits.list_budgets(user_id="ann")
        assert again.tokens == use.tokens * 2 // 3


async def _begun(api: AgentApi) -> str:
    """Ask, and wait for the answer's first words."""
    thread_id = await asked(api)
    async with Follower(api, thread_id) as follower:
        await follower.until(lambda view: "Well" in str(view.messages))
    return thread_id


async def _estimated(api: AgentApi, thread_id: str) -> int:
    """Return the tokens of a thread's only answer, which everybody sees to be an estimate."""
    (_, reply) = await api.list_messages(thread_id)
    assert reply.usage is not None
    total = (await api.insight.usage(thread_id)).total
    (span,) = [span for span in await api.timeline(thread_id) if span.kind == "model"]
    assert reply.usage == total.to_dict()
    assert (total.requests, total.metered, total.estimated, total.output_tokens) == (1, 0, 1, 100)
    assert span.usage is not None
    assert (span.usage["estimated"], span.usage["total_tokens"]) == (True, total.total_tokens)
    assert 0 < total.input_tokens < 80
    return total.total_tokens


async def test_a_refused_request_counts_nothing_and_a_broken_answer_what_was_read_of_it(path: Path) -> None:
    refused = errors.ModelError("Busy.", kind="provider_5xx", retryable=True)
    broken = errors.ModelError("Gone.", kind="network", retryable=True)
    async with on(path, [[refused], ["Well " * 70, broken], ["Well.", COST]]) as api:
        await api.limits.set_budget(Budget(tokens=9_999), user_id="ann")
        thread_id = await asked(api)
        await finished(api, thread_id)
        total = (await api.insight.usage(thread_id)).total
        assert (total.requests, total.metered, total.estimated) == (3, 1, 1)
        assert total.output_tokens == 105
        (use,) = await api.limits.list_budgets(user_id="ann")
        assert use.tokens == total.total_tokens
