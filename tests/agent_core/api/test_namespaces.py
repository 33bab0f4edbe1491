"""Namespaces of an API, and the flat method names that preceded them."""

from __future__ import annotations

from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from agent_core import every
from tests.support.agents import agent_on, api_methods

BEFORE = {
    "schedules.create": "schedule",
    "schedules.list": "list_schedules",
    "schedules.get": "get_schedule",
    "schedules.update": "update_schedule",
    "schedules.pause": "pause_schedule",
    "schedules.resume": "resume_schedule",
    "schedules.run_now": "run_schedule_now",
    "schedules.runs": "schedule_runs",
    "schedules.delete": "delete_schedule",
    "shares.create": "share_thread",
    "shares.revoke": "unshare_thread",
    "shares.read": "read_shared",
    "shares.read_file": "read_shared_file",
    "shares.subscribe": "subscribe_shared",
    "insight.durability": "durability",
    "insight.usage": "usage",
    "insight.usage_summary": "usage_summary",
    "preferences.get": "get_preferences",
    "preferences.change": "change_preferences",
    "preferences.follow": "follow_preferences",
}


@pytest.mark.sqlite  # names do not depend on the database
async def test_the_flat_names_lead_to_the_methods_of_the_namespaces(path: Path) -> None:
    since = {
        name for name in api_methods() if name.startswith(("admin.", "limits.", "outbox."))
    }  # never had flat names
    assert set(BEFORE) == {name for name in api_methods() if "." in name} - since
    async with agent_on(path, []) as given:
        api: Any = given  # a type checker knows only the current names
        for now, before in BEFORE.items():
            assert getattr(api, before) == attrgetter(now)(api), before
        with pytest.raises(AttributeError, match="has no attribute 'shedule'"):
            api.shedule  # noqa: B018
        made = await api.schedule(None, "Hi", every(minutes=5))
        assert [schedule.id for schedule in await given.schedules.list()] == [made.id]
