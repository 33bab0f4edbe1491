"""Random histories of the store agree with the model and break no invariant; broken fences are found."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy.dialects import sqlite

from agent_core.store import calls, messages, outcomes, steps, turns, wake_ups
from agent_core.store.statement import Statement
from tests.agent_core.store_rules import StoreMachine

SETTINGS = settings(
    max_examples=120, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
OFTEN = {(name, landed) for name in ("claim", "commit", "flush", "claim_call") for landed in (True, False)}


@pytest.mark.timeout(240)
def test_random_histories() -> None:
    StoreMachine.reached.clear()
    run_state_machine_as_test(StoreMachine, settings=SETTINGS)
    assert set(StoreMachine.reached) >= OFTEN, "the histories did not come to what they are to prove"


BROKEN = {
    "a flush without its fence": (steps, "_FLUSH", " AND agent_thread.seq = :at_seq"),
    "an outcome without its attempt": (
        outcomes._END_MINE,
        "succeed",
        " AND agent_tool_call.attempt = :at_attempt",
    ),
    "a step claimed without the lease": (steps, "_CLAIM", " AND agent_wake_up.worker = :worker"),
    "a call claimed without the lease": (calls, "_CLAIM", " AND agent_wake_up.worker = :by"),
    "another worker's lease is deleted": (wake_ups, "_DELETE_MINE", " AND agent_wake_up.worker = :by"),
    "a stop that raises no fence": (turns, "_STOP", ", seq=(agent_thread.seq + :seq_1)"),
    "a message sent twice": (messages, "_FIND", "agent_message.id = :message_id"),
}
INSTEAD = {
    "agent_message.id = :message_id": "agent_message.id = 'nobody'",
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.timeout(240)
def test_what_is_broken_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same histories, over a store that lacks one condition."""
    home, name, words = BROKEN[what]
    whole: Statement = home[name] if isinstance(home, dict) else getattr(home, name)
    sql, defaults = whole.compiled(sqlite.dialect(paramstyle="named"))
    assert words in sql, sql
    broken = Statement(whole._clause)
    broken._compiled["sqlite"] = sql.replace(words, INSTEAD.get(words, "")), defaults
    if isinstance(home, dict):
        monkeypatch.setitem(home, name, broken)
    else:
        monkeypatch.setattr(home, name, broken)
    search = settings(SETTINGS, max_examples=150, phases=[Phase.generate], derandomize=True, database=None)
    with pytest.raises(Exception):  # noqa: B017, PT011  # an assertion, a unique key, a lost row
        run_state_machine_as_test(StoreMachine, settings=search)
