"""Test the rows of MCP servers: what may be added, and which addresses are refused."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ValidationError
from agent_core.store.database.app_database import AppDatabase, open_app_database
from chat_app.database import MIGRATIONS
from chat_app.mcp_servers import rows
from chat_app.mcp_servers.reach import may_reach_any, may_reach_public
from tests.support.app_databases import app_database

SHOP = {
    "name": "shop",
    "url": "https://shop.example.org/mcp?key=k1",
    "headers": {"Authorization": "Bearer s3cret"},
    "approval": "always",
    "now": 1.0,
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[AppDatabase]:
    with open_app_database(app_database(tmp_path), MIGRATIONS) as opened:
        yield opened


def add(database: AppDatabase, **changes: Any) -> None:
    database.write(lambda session: rows.add_server(session, **(SHOP | changes)))


def test_a_server_is_added_switched_and_removed_and_twice_is_once(database: AppDatabase) -> None:
    add(database)
    (row,) = database.read(rows.list_servers)
    assert (row.name, row.approval, row.enabled) == ("shop", "always", True)
    assert rows.headers_of(row) == SHOP["headers"]
    assert "s3cret" not in repr(row), "nothing that logs a row logs its headers"
    assert rows.shown_url(row.url) == "https://shop.example.org/mcp?…"
    for enabled in (False, False, True):
        database.write(rows.set_enabled, row.id, enabled)
        assert database.read(rows.list_servers)[0].enabled is enabled
    for _ in range(2):
        database.write(rows.remove_server, row.id)
        database.write(rows.set_enabled, row.id, True)
        assert database.read(rows.list_servers) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "1 to 30"),
        ({"name": "Shop"}, "1 to 30"),
        ({"name": "s" * 31}, "1 to 30"),
        ({"name": "shop_two"}, "1 to 30"),
        ({"name": "file"}, "named file already"),
        ({"url": ""}, "must begin with https"),
        ({"url": "npx -y @shop/mcp"}, "must begin with https"),
        ({"url": "file:///etc/passwd"}, "must begin with https"),
        ({"url": "http://"}, "must begin with https"),
        ({"url": "http://[::1/mcp"}, "must begin with https"),
        ({"url": "http://127.0.0.1:x/mcp"}, "must begin with https"),
        ({"url": "https://ann:pass@shop.example.org"}, "no user, password or fragment"),
        ({"url": "https://shop.example.org/#a"}, "no user, password or fragment"),
        ({"url": "https://shop.example.org\\@evil.example.org/"}, "must begin with https"),
        ({"url": "https://shop.example.org/" + "a" * 2000}, "must begin with https"),
        ({"headers": {"": "x"}}, "cannot be sent"),
        ({"headers": {"Host": "x"}}, "cannot be sent"),
        ({"headers": {"Content-Length": "0"}}, "cannot be sent"),
        ({"headers": {"Mcp-Session-Id": "x"}}, "cannot be sent"),
        ({"headers": {"X\r\nY": "x"}}, "cannot be sent"),
        ({"headers": {"X-Key": "s3cret\r\nHost: x"}}, "in one line"),
        ({"headers": {"X-Key": "s3crét"}}, "in one line"),
        ({"headers": {"X-Key": ""}}, "in one line"),
        ({"headers": {"X-Key": "s3cret" * 1000}}, "in one line"),
        ({"headers": {"X-Key": "a", "x-key": "b"}}, "each one once"),
        ({"headers": {f"X-{n}": "a" for n in range(21)}}, "at most 20 headers"),
        ({"approval": "never"}, "approval must be one of"),
    ],
)
def test_invalid_servers_are_refused_in_sentences_without_header_values(
    database: AppDatabase, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words) as error:
        add(database, taken=["file"], **changes)
    assert "s3cr" not in str(error.value)
    assert database.read(rows.list_servers) == []


def test_a_name_is_taken_once_and_there_is_an_end(
    database: AppDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database)
    with pytest.raises(ValidationError, match="named shop already"):
        add(database)
    monkeypatch.setattr(rows, "MAX_SERVERS", 2)
    add(database, name="bank")
    with pytest.raises(ValidationError, match="2 servers already"):
        add(database, name="mail")


@pytest.mark.parametrize(
    ("address", "any_", "public"),
    [
        ("127.0.0.1", True, False),
        ("::1", True, False),
        ("10.0.0.7", True, False),
        ("192.168.1.2", True, False),
        ("fd12::1", True, False),
        ("100.64.0.1", True, False),
        ("93.184.216.34", True, True),
        ("2606:2800:220:1::1", True, True),
        ("169.254.169.254", False, False),
        ("fe80::1", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("100.100.100.200", False, False),
        ("168.63.129.16", False, False),
        ("fd00:ec2::254", False, False),
    ],
)
def test_addresses_are_reachable_by_the_rule_of_the_setting(address: str, any_: bool, public: bool) -> None:
    assert (may_reach_any(ip_address(address)), may_reach_public(ip_address(address))) == (any_, public)
