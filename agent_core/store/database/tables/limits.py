"""Define the tables of limits and budgets, and of what was spent."""

# No `from __future__ import annotations` here: SQLModel reads the annotations themselves.
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Float, Index
from sqlmodel import Field

from agent_core.store.database.tables.base import CLUSTERED, Table


class LimitRow(Table, table=True):
    """The limit of the requests to a model; see `agent_core.domain.limits`.

    blocked_until  the moment until which its provider has asked to wait
    """

    __tablename__: ClassVar[Any] = "agent_limit"
    model: str = Field(primary_key=True)
    requests_per_minute: int | None = Field(default=None, sa_column=Column(BigInteger))
    tokens_per_minute: int | None = Field(default=None, sa_column=Column(BigInteger))
    concurrency: int | None = Field(default=None, sa_column=Column(BigInteger))
    blocked_until: float | None = None


class BudgetRow(Table, table=True):
    """A budget, by what it is for.

    kind    user | agent | thread
    name    its name or id; "" is for users without a name, "*" for each one without a budget of its own
    period  turn | day | month
    """

    __tablename__: ClassVar[Any] = "agent_budget"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    usd: float | None = None
    tokens: int | None = Field(default=None, sa_column=Column(BigInteger))


class CounterRow(Table, table=True):
    """What ended steps have used in the newest window of a period; only for scopes with a limit or a budget.

    kind        as in `agent_budget`, or model, whose period is minute; that of a turn is its thread
    window_key  the beginning of the window, or the id of the turn's reply; see `domain.limits.window_of`
    """

    __tablename__: ClassVar[Any] = "agent_counter"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    period: str = Field(primary_key=True)
    window_key: str
    requests: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    tokens: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))
    usd: float = Field(default=0.0, sa_column=Column(Float, nullable=False, server_default="0"))


class AdmissionRow(Table, table=True):
    """A model step that was weighed against limits and budgets; a negative seq is that of a title.

    status        paused -> running -> ended; an ended one is deleted when the counters include it
    tokens, usd   what the step has used, or while it runs an estimate
    since         when it was first weighed
    wait_kind, wait_name  while it is paused: the scope that it waits for
    awaits_room   whether it waits for running steps
    prompt_tokens, prompt_usd, answer_usd  as in `domain.limits.Prompt`, for a step that ends without counts
    """

    __tablename__: ClassVar[Any] = "agent_admission"
    __table_args__: ClassVar[Any] = (
        Index("agent_admission_by_status", "status", "since"),  # few rows: one for each step under way
        CLUSTERED,
    )
    thread_id: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    status: str
    model: str
    user_id: str
    agent: str
    reply_id: str
    worker: str
    tokens: int = Field(sa_column=Column(BigInteger, nullable=False))
    usd: float | None = None
    since: float
    wait_kind: str | None = None
    wait_name: str | None = None
    awaits_room: bool = False
    prompt_tokens: int | None = Field(default=None, sa_column=Column(BigInteger))
    prompt_usd: float | None = None
    answer_usd: float | None = None
