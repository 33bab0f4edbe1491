"""Reads while the database closes: no connection is left behind."""

from __future__ import annotations

import gc

import pytest

from agent_core.errors import DatabaseError
from agent_core.store.database.open import opened
from agent_core.store.reads.reader import Reads


def test_a_read_that_is_still_under_way_ends_with_its_connection(database_url: str) -> None:
    with opened(database_url, "NORMAL") as (_, reader, _path):
        late = reader.connect()
        driver = late.connection.driver_connection
    late.exec_driver_sql("SELECT 1").close()  # the read is not cut off
    late.close()
    with pytest.raises(Exception, match="closed"):
        driver.execute("SELECT 1")  # type: ignore[union-attr]


def test_a_read_that_begins_too_late_makes_no_connection(database_url: str) -> None:
    with opened(database_url, "NORMAL") as (_, reader, _path):
        reads = Reads(reader)
        assert reads.thread("t") is None
    with pytest.raises(DatabaseError, match="runtime is closed"):
        reads.thread("t")
    gc.collect()  # psycopg warns of an unclosed connection, and warnings are errors here
