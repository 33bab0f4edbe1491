"""Define the tables. The database is the source of truth; everything else is a view of it.

JSON is stored as text: it is written once and read whole, the same way on every database. Times are seconds since
the epoch. `error_info` has the text, code and params of an `error` that is a sentence, as JSON; see
`sql.load_info`. There are no foreign keys between the tables of a thread: every row has its thread_id and is
deleted by it, in one transaction.
"""

from agent_core.store.database.tables.derived import SearchRow, UsageRow
from agent_core.store.database.tables.limits import AdmissionRow, BudgetRow, CounterRow, LimitRow
from agent_core.store.database.tables.outbox import OutboxEventRow, OutboxRow
from agent_core.store.database.tables.schema import CompatibilityRow
from agent_core.store.database.tables.threads import (
    DeltaRow,
    FileRow,
    MessageRow,
    PersonRow,
    RefusedFileRow,
    StreamRow,
    ThreadRow,
    ToolCallRow,
    WindowRow,
)
from agent_core.store.database.tables.work import ScheduleRow, WakeUpRow, WorkerRow

__all__ = [
    "AdmissionRow",
    "BudgetRow",
    "CompatibilityRow",
    "CounterRow",
    "DeltaRow",
    "FileRow",
    "LimitRow",
    "MessageRow",
    "OutboxEventRow",
    "OutboxRow",
    "PersonRow",
    "RefusedFileRow",
    "ScheduleRow",
    "SearchRow",
    "StreamRow",
    "ThreadRow",
    "ToolCallRow",
    "UsageRow",
    "WakeUpRow",
    "WindowRow",
    "WorkerRow",
    "metadata",
]

metadata = ThreadRow.metadata
"""The metadata of all tables."""
