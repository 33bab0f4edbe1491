"""Set limits of models and budgets, and report what is used of them."""

from __future__ import annotations

from agent_core.agent import CallContext
from agent_core.api.admin.base import AdminMethods
from agent_core.api.base import storable
from agent_core.domain.limits import EACH, Budget, BudgetUse, Kind, Limit, LimitUse, Period, Scope
from agent_core.errors import ValidationError
from agent_core.store.limits import changes


class Limits(AdminMethods):
    """`api.limits`: methods for limits of models, and budgets of users, agents and threads.

    A step that reaches one of them pauses its thread. A changed limit or budget holds from the next step on, in
    every process; paused threads are weighed again at once.
    """

    DENIED = "limits_forbidden"

    async def set_limit(self, model: str, limit: Limit, *, ctx: CallContext | None = None) -> None:
        """Set the limit of a model, over all workers, in place of an earlier one.

        Args:
            model: the name of the model, as agents have it: "openai/gpt-5-mini".
        """
        await self._check(ctx)
        await self._put_limit(model, limit)

    async def remove_limit(self, model: str, *, ctx: CallContext | None = None) -> None:
        """Remove the limit of a model, if it has one."""
        await self._check(ctx)
        await self._put_limit(model, None)

    async def list_limits(self, *, ctx: CallContext | None = None) -> list[LimitUse]:
        """Return all limits, and what is used of them."""
        await self._check(ctx)
        return await self.store.writer.run(changes.limits)

    async def set_budget(
        self,
        budget: Budget,
        *,
        user_id: str | None = None,
        agent: str | None = None,
        thread_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> None:
        """Set the budget of a user, an agent or a thread, in place of an earlier one for the same period.

        Args:
            user_id: the user; "" for all threads without a user together. In each of the three, "*" sets the
                budget of each one that has none of its own for the period.
            agent: the name of the agent.
            thread_id: the thread.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: not exactly one of the three is given.
        """
        scope = await self._scope(ctx, user_id, agent, thread_id)
        self.store.limits.active = True  # before the write: a step that ends after it must be counted
        await self.store.writer.run(changes.set_budget, scope, budget.per, budget)

    async def remove_budget(
        self,
        per: Period,
        *,
        user_id: str | None = None,
        agent: str | None = None,
        thread_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> None:
        """Remove the budget of a user, an agent or a thread for a period, if there is one; see `set_budget`.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: not exactly one of the three is given.
        """
        scope = await self._scope(ctx, user_id, agent, thread_id)
        await self.store.writer.run(changes.set_budget, scope, per, None)

    async def list_budgets(
        self,
        *,
        user_id: str | None = None,
        agent: str | None = None,
        thread_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> list[BudgetUse]:
        """Return all budgets, or those that apply to a user, an agent or a thread, and what is used of them.

        Everybody may read those of their own, and of threads that they may access.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: more than one of the three is given.
        """
        scope = None
        if any(name is not None for name in (user_id, agent, thread_id)):
            scope = await self._scope(ctx, user_id, agent, thread_id, reads=True)
        else:
            await self._check(ctx)
        return await self.store.writer.run(changes.budgets, scope)

    async def _put_limit(self, model: str, limit: Limit | None) -> None:
        if not model or not storable(model):
            raise ValidationError(f"{model!r:.60} cannot be the name of a model.")
        self.store.limits.active = True  # before the write: a step that ends after it must be counted
        await self.store.writer.run(changes.set_limit, model, limit)

    async def _scope(
        self,
        ctx: CallContext | None,
        user_id: str | None,
        agent: str | None,
        thread_id: str | None,
        *,
        reads: bool = False,
    ) -> Scope:
        may_read = ctx is not None and ctx.user_id is not None and user_id == ctx.user_id
        if thread_id is not None and thread_id != EACH:
            await self._authorize(ctx, thread_id)
            may_read = True
        if not (reads and may_read):
            await self._check(ctx)
        given: list[tuple[Kind, str | None]] = [("user", user_id), ("agent", agent), ("thread", thread_id)]
        scopes = [Scope(kind, name) for kind, name in given if name is not None]
        if len(scopes) != 1:
            raise ValidationError("Give one of user_id, agent and thread_id.")
        (scope,) = scopes
        if not storable(scope.name):
            raise ValidationError(f"{scope.name!r:.60} cannot be a name or an id.")
        if scope.kind == "thread" and scope.name != EACH:
            await self._thread(scope.name)
        return scope
