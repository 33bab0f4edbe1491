"""Test keys: shown once and stored as hashes, valid until revoked or expired, limited by scope and failures."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from agent_core.errors import AccessDeniedError, ValidationError
from agent_core.store.database.app_database import AppDatabase, open_app_database
from chat_app.database import MIGRATIONS
from chat_app.database.tables import KeyRow, PersonRow
from chat_app.keys import command, rows
from chat_app.keys.key_ring import KeyRing, TooManyKeysError
from chat_app.keys.rows import MAX_FAILURES, PERIOD
from chat_app.server.settings import Settings
from tests.support.app_databases import app_database
from tests.tools.postgresql import PostgreSQL

DAY = 86_400.0


class Clock:
    """A clock that the test sets."""

    now = 1_000.0

    def __call__(self) -> float:
        """Return the moment of now."""
        return self.now


@pytest.fixture
def url(tmp_path: Path) -> str:
    return app_database(tmp_path)


@pytest.fixture
def database(url: str) -> Iterator[AppDatabase]:
    with open_app_database(url, MIGRATIONS) as opened:
        yield opened


async def test_key_is_stored_as_a_hash_and_names_its_holder(database: AppDatabase, url: str) -> None:
    ring = KeyRing(database)
    made = await ring.create("backup", "write", "ann", None)
    assert made.secret.startswith(made.row.start)
    assert made.secret.encode() not in Path(url.removeprefix("sqlite:///")).read_bytes()
    ctx = await ring.caller(made.secret, "10.0.0.1")
    assert (ctx.user_id, ctx.claims) == ("ann", {"role": "member", "key": made.row.id, "scope": "write"})
    (listed,) = await ring.list("ann")
    assert listed.used_at is not None
    assert [await ring.list(name) for name in ("bob", None)] == [[], []]


async def test_revoked_and_expired_keys_are_refused_at_once(database: AppDatabase) -> None:
    clock = Clock()
    ring, other = KeyRing(database, clock=clock), KeyRing(database, clock=clock)
    kept, gone = [await ring.create("a key", "read", "ann", days=2) for _ in range(2)]
    await other.caller(gone.secret, "")
    for wrong in ("bob", None):
        with pytest.raises(ValidationError, match="There is no key"):
            await ring.revoke(gone.row.id, wrong)
    await ring.revoke(gone.row.id, "ann")
    with pytest.raises(AccessDeniedError, match="was revoked"):
        await other.caller(gone.secret, "")
    with pytest.raises(ValidationError):
        await ring.revoke(gone.row.id, "ann")
    await other.caller(kept.secret, "")
    clock.now += 2 * DAY
    with pytest.raises(AccessDeniedError):
        await other.caller(kept.secret, "")


async def test_keys_of_a_removed_person_are_refused_and_follow_a_role(database: AppDatabase) -> None:
    ring = KeyRing(database)

    def set_person(**values: object) -> None:
        database.write(
            lambda session: session.merge(PersonRow(id="p1", name="Ann", created_at=1.0, **values))  # pyright: ignore[reportArgumentType]
        )

    set_person(role="admin")
    made = await ring.create("a key", "admin", "p1", None)
    roles = []
    for role in ("admin", "member"):
        set_person(role=role)
        roles.append((await ring.caller(made.secret, "")).claims or {})
    assert [claims["role"] for claims in roles] == ["admin", "member"]
    set_person(removed_at=2.0)
    with pytest.raises(AccessDeniedError):
        await ring.caller(made.secret, "")


async def test_scope_admin_is_for_those_who_administer(database: AppDatabase) -> None:
    keys = {name: await KeyRing(database).create("k", "admin", name, None) for name in ("ann", "bob")}
    ring = KeyRing(database, admins={"ann"})
    found = {name: (await ring.caller(key.secret, "")).claims or {} for name, key in keys.items()}
    assert {name: claims["role"] for name, claims in found.items()} == {"ann": "admin", "bob": "member"}


async def test_wrong_keys_are_limited_for_each_address_and_right_ones_still_work(
    database: AppDatabase,
) -> None:
    clock = Clock()
    ring, other = KeyRing(database, clock=clock), KeyRing(database, clock=clock)  # of two processes
    known, unknown = (
        await ring.create("known", "read", None, None),
        await ring.create("new", "read", None, None),
    )
    await ring.caller(known.secret, "10.0.0.1")
    for number in range(MAX_FAILURES):
        with pytest.raises(AccessDeniedError):
            await (ring, other)[number % 2].caller(f"rda_{number}", "10.0.0.1")
    for secret in ("rda_x", unknown.secret):
        with pytest.raises(TooManyKeysError):
            await other.caller(secret, "10.0.0.1")
    with pytest.raises(TooManyKeysError):
        await ring.caller("rda_x", "10.0.0.1")
    await ring.caller(known.secret, "10.0.0.1")
    await ring.caller(unknown.secret, "10.0.0.2")
    clock.now += PERIOD
    for each in (ring, other):
        with pytest.raises(AccessDeniedError):
            await each.caller("rda_x", "10.0.0.1")


async def test_wrong_keys_are_limited_on_postgresql(postgresql: PostgreSQL) -> None:
    postgresql.execute("drop database if exists keys", "create database keys")
    clock = Clock()
    with open_app_database(postgresql.url("keys"), MIGRATIONS) as opened:
        ring = KeyRing(opened, clock=clock)
        for number in range(MAX_FAILURES):
            with pytest.raises(AccessDeniedError):
                await ring.caller(f"rda_{number}", "::1")
        with pytest.raises(TooManyKeysError):
            await ring.caller("rda_x", "::1")
        clock.now += PERIOD
        with pytest.raises(AccessDeniedError):
            await ring.caller("rda_x", "::1")


@pytest.mark.parametrize(
    ("name", "scope", "days"),
    [
        *((name, "read", None) for name in ("", " \n", "x" * 101, "a\x00b")),
        *(("ok", scope, None) for scope in ("", "all")),
        *(("ok", "read", days) for days in (0, -1, 1e9)),
    ],
)
async def test_invalid_keys_are_refused(
    database: AppDatabase, name: str, scope: str, days: float | None
) -> None:
    with pytest.raises(ValidationError):
        await KeyRing(database).create(name, scope, None, days)
    assert await KeyRing(database).list(None) == []


def test_the_number_of_keys_is_limited(database: AppDatabase) -> None:
    for _ in range(rows.MAX_KEYS):
        database.write(rows.create_key, "k", "read", "ann", 1.0)
    with pytest.raises(ValidationError, match="revoke one first"):
        database.write(rows.create_key, "k", "read", "ann", 1.0)
    database.write(rows.create_key, "k", "read", "bob", 1.0)


def say(url: str, *words: str) -> list[str]:
    """Run the command `key` on a database, and return its lines."""
    parser = ArgumentParser()
    command.add_command(parser.add_subparsers())
    return command.run(Settings(database_url=url), parser.parse_args(["key", *words]))


def test_command_creates_lists_and_revokes(url: str) -> None:
    (secret,) = say(url, "create", "nightly report", "--user", "ann", "--scope", "read", "--days", "30")
    header, line = say(url, "list")
    assert header.split()[:2] == ["id", "key"]
    assert secret not in line
    key_id, start, scope, user, *_ = line.split()
    assert (start, scope, user) == (f"{secret[:12]}…", "read", "ann")
    assert line.endswith("nightly report")
    assert say(url, "revoke", key_id) == [f"{key_id} is revoked."]
    assert len(say(url, "list")) == 1
    for wrong in (["revoke", key_id], ["revoke", "none"], ["create", ""]):
        with pytest.raises(ValidationError):
            say(url, *wrong)


def test_command_finds_people_by_name_where_the_app_has_them(database: AppDatabase, url: str) -> None:
    database.write(
        lambda session: session.add(PersonRow(id="person_1", name="Ann", name_key="ann", created_at=1.0))
    )
    say(url, "create", "k", "--user", "ANN")
    (row,) = database.read(lambda session: session.exec(select(KeyRow)).all())
    assert row.user_id == "person_1"
    assert say(url, "list")[1].split()[3] == "Ann"
    with pytest.raises(ValidationError, match="Nobody is named 'bob'"):
        say(url, "create", "k", "--user", "bob")
