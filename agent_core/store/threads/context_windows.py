"""Store the windows that providers named when they refused a request."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from agent_core.store.database.columns import WINDOW, P
from agent_core.store.database.statement import Statement
from agent_core.store.database.tables import WindowRow
from agent_core.store.database.transaction import Tx

_values = {name: P(name) for name in ("model", "tokens", "learned_at")}
_again = {"tokens": P("tokens"), "learned_at": P("learned_at")}
_LEARN = Statement(
    insert(WINDOW).values(_values),
    sqlite=sqlite.insert(WINDOW).values(_values).on_conflict_do_update(index_elements=["model"], set_=_again),
    postgresql=postgresql.insert(WINDOW)
    .values(_values)
    .on_conflict_do_update(index_elements=["model"], set_=_again),
)


def learn(tx: Tx, model: str, tokens: int) -> None:
    """Remember how many tokens a request to a model may have."""
    tx.do(_LEARN, model=model, tokens=tokens, learned_at=tx.now)


def read(session: Session, model: str, since: float) -> int | None:
    """Return what was learned of a model since a moment; None: nothing."""
    row = session.get(WindowRow, model)
    return row.tokens if row is not None and row.learned_at >= since else None
