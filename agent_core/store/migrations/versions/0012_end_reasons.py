"""Why an attempt or a call ended without its result: a column where it was read from the error's text."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_PROCESS_ENDED = "the process ended"
_STREAMS = {
    _PROCESS_ENDED: "process_ended",
    "the server is restarting": "released",
    "stopped": "stopped",
}
_CALLS = {
    "stopped": "stopped",
    "The person wrote another message instead of answering, so this was not done.": "passed_over",
    "The process that ran this tool ended while it ran, so the tool may or may not have taken effect. "
    "It was not run again. Check before you try once more.": "in_doubt",
    "No outcome came in time.": "timed_out",
    "This call was still open when the thread was forked; its outcome belongs to the thread it was forked "
    "from.": "forked",
}
_BATCH = 500


def upgrade() -> None:
    """Add the columns and fill them from the texts that rows have had until now."""
    for table, reasons in (("agent_stream", _STREAMS), ("agent_tool_call", _CALLS)):
        op.add_column(table, sa.Column("end_reason", sa.String(), nullable=True))
        _fill(table, reasons)
    _name_attempts()


def _fill(table: str, reasons: dict[str, str]) -> None:
    rows = sa.table(table, sa.column("error"), sa.column("end_reason"), sa.column("status"))
    known = sa.case(reasons, value=rows.c.error, else_="error")
    reason = sa.case((rows.c.status == "denied", "denied"), else_=known)
    op.execute(sa.update(rows).where(rows.c.error.is_not(None)).values(end_reason=reason))


def _name_attempts() -> None:
    """Give the attempts before the newest of each call their reasons, a batch of rows at a time."""
    rows = sa.table("agent_tool_call", sa.column("thread_id"), sa.column("id"), sa.column("attempts"))
    place = sa.tuple_(rows.c.thread_id, rows.c.id)
    found = sa.select(*rows.c).where(rows.c.attempts.is_not(None)).order_by(rows.c.thread_id, rows.c.id)
    put = (
        sa.update(rows)
        .where(rows.c.thread_id == sa.bindparam("at_thread"), rows.c.id == sa.bindparam("at_id"))
        .values(attempts=sa.bindparam("new"))
    )
    connection, batch = op.get_bind(), found
    while read := [tuple(row) for row in connection.execute(batch.limit(_BATCH))]:
        changed = [(thread, call, json.dumps(_named(json.loads(old)))) for thread, call, old in read]
        connection.execute(
            put, [dict(zip(("at_thread", "at_id", "new"), row, strict=True)) for row in changed]
        )
        batch = found.where(place > sa.tuple_(*(sa.literal(value) for value in read[-1][:2])))


def _named(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**entry, "end_reason": "process_ended" if entry.get("error") == _PROCESS_ENDED else "error"}
        for entry in entries
    ]
