"""Run the commands of docs/how-to/upgrade.md, in its order, on a database of the first schema with rows in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_core.store.database.migrate import newest_schema, schema_of
from agent_core.store.database.open import opened
from chat_app import __main__
from tests.agent_core.store.database.test_migrations import ROWS, SAID, answer, look, make
from tests.support.agents import agent_on, finished, texts
from tests.support.docs.doc_pages import ROOT

PAGE = (ROOT / "docs" / "how-to" / "upgrade.md").read_text("utf-8")
COMMANDS = [line.split() for line in re.findall(r"^python -m chat_app (.+)$", PAGE, re.M)]


def schema(url: str) -> str | None:
    with opened(url, "NORMAL") as database, database.reader.connect() as connection:
        return schema_of(connection)


async def test_commands_of_the_page_upgrade_and_roll_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("CHAT_MODEL", "demo")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "agents.db"
    url = f"sqlite:///{path}"
    with opened(url, "NORMAL") as (engine, *_):
        make(engine, "0001", ROWS)
    assert [command[0] for command in COMMANDS] == ["backup", "doctor", "migrate", "restore"]
    backup, doctor, migrate, restore = COMMANDS

    __main__.main(backup)
    with pytest.raises(SystemExit) as ended:
        __main__.main(doctor)
    assert ended.value.code == 0, "an older schema is no problem"
    assert "The schema is behind: 0001" in capsys.readouterr().out
    assert schema(url) == "0001"
    __main__.main(migrate)
    assert schema(url) == newest_schema()
    async with agent_on(path, answer, tools=[look]) as api:
        assert await texts(api, "talk") == SAID["talk"]
        await api.send_message("talk", "after the upgrade")
        assert (await finished(api, "talk")).status == "completed"

    monkeypatch.chdir(tmp_path)  # the commands have changed it
    __main__.main(restore)
    assert schema(url) == "0001"
    __main__.main(migrate)
    async with agent_on(path, answer, tools=[look]) as api:
        assert await texts(api, "talk") == SAID["talk"], "as it was at the backup"
    assert len(list((tmp_path / "data").glob("agents.db.before-*"))) == 1
