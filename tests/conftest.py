"""Set up every test: only loopback connections, and none of the developer's API keys."""

from __future__ import annotations

import atexit
import functools
import gc
import os
import re
import socket
import ssl
from collections.abc import Generator
from typing import Any

import certifi
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.support.databases import PLACE
from tests.support.providers.watch import VIOLATIONS, watch
from tests.tools import redis
from tests.tools.postgresql import FAST, NoServer, PostgreSQL

LOOPBACK = ("127.", "::1", "localhost")
LONGEST = (
    "browser prod",
    "tests/docs/test_team_page.py",
    "providers",
    "providers/history",
    "providers/answers",
    "chaos",
    "browser extended",
    "browser dev",
    "tests/browser/connection/test_two_web_processes.py",
    "chat_app/text",
    "tests/packaging/test_newest_python.py",
    "soak",
    "tests/agent_core/store/test_state_machine.py",
    "tests/packaging/test_newest_python.py",
    "tests/packaging/test_ranges.py",
    "tests/packaging/test_wheel.py",
    "tests/docs/test_programs.py",
    "tests/docs/test_many_hosts.py",
)
KEYS = ("_API_KEY", "_API_BASE", "_BASE_URL")

settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("here"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

for _name in [name for name in os.environ if name.endswith(KEYS) or name.startswith("CHAT_")]:
    del os.environ[_name]
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

gc.disable()  # until the tests are collected
atexit.register(gc.freeze)  # else each process ends with a collection of all that the tests have imported
watch()

_create_context = ssl.create_default_context
_AUTHORITIES = {certifi.where(), os.environ.get("SSL_CERT_FILE")}


@functools.cache
def _context_of_authorities(file: str) -> ssl.SSLContext:
    return _create_context(cafile=file)


def _create_shared_context(*args: Any, **options: Any) -> ssl.SSLContext:
    """Read this system's authorities once: it takes 20 ms, which each HTTP client would spend, also without TLS."""
    if not args and options.keys() == {"cafile"} and options["cafile"] in _AUTHORITIES:
        return _context_of_authorities(options["cafile"])
    return _create_context(*args, **options)


ssl.create_default_context = _create_shared_context

_connect = socket.socket.connect


def _connect_to_loopback(self: socket.socket, address: Any) -> None:
    """Refuse addresses outside this machine, so that a forgotten price map or key fails at once."""
    if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOOPBACK):
        raise OSError(f"Tests talk to loopback only; this one tried {address[0]}.")
    _connect(self, address)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest groups first, so that all processes of a run finish at about the same time."""
    place = {group: number for number, group in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(_group_of(item.nodeid), len(place)))


def pytest_collection_finish() -> None:
    """Leave modules and collected tests out of garbage collections, which look at them again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


class _Groups(LoadScopeScheduling):
    """Keep groups whole: `--dist loadgroup` of pytest-xdist 3.8 splits them under pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Groups:
    return _Groups(config, log)


def _group_of(nodeid: str) -> str:
    """Return the folder of tests that share a server or an installation, otherwise the file."""
    file, _, name = nodeid.partition("::")
    room = file.removeprefix("tests/").rpartition("/")[0]
    folder = room.partition("/")[0]
    if folder == "browser":  # each way to serve the app needs a build, which takes longer than most tests
        found = re.search(r"[\[-](dev|prod)[]-]", name)
        if "web_processes" in file:
            return file
        return f"browser {found[1] if found else 'extended'}"
    return next((group for group in (room, folder) if group in LONGEST), file)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a report sendable between processes, even if hostile text was logged or compared."""
    report = yield
    report.sections = [(name, _sendable(text)) for name, text in report.sections]
    if report.longrepr is not None and _sendable(words := str(report.longrepr)) != words:
        report.longrepr = _sendable(words)
    return report


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Any:
    socket.socket.connect = _connect_to_loopback  # type: ignore[method-assign]
    yield
    socket.socket.connect = _connect  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def violations(request: pytest.FixtureRequest) -> Generator[list[str]]:
    """Fail a test that sends what a strict provider refuses, and an `unpaired` test that does not."""
    yield VIOLATIONS
    found, on_purpose = list(VIOLATIONS), request.node.get_closest_marker("unpaired") is not None
    VIOLATIONS.clear()
    assert bool(found) == on_purpose, found or "It is marked `unpaired`, and all that it asked was paired."


@pytest.fixture(scope="session")
def postgresql() -> Generator[PostgreSQL]:
    """Run one PostgreSQL server for all tests; in CI a missing server is an error."""
    try:
        server = PostgreSQL(FAST)
    except NoServer as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    yield server
    PLACE.close(server)
    server.close()


@pytest.fixture(scope="session")
def redis_server() -> Generator[redis.RedisServer]:
    """Run one Redis server for all tests; in CI a missing server is an error."""
    with redis.running() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: redis.RedisServer) -> str:
    """The URL of the Redis server of the tests."""
    return redis_server.url


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the skipped tests, because a green run proves nothing about the tests it skipped."""
    skipped = terminalreporter.getreports("skipped")
    if skipped:
        terminalreporter.section(f"SKIPPED: {len(skipped)} tests DID NOT RUN", sep="!", red=True, bold=True)
        for reason, count in sorted(_count_reasons(skipped).items()):
            terminalreporter.write_line(f"{count:4} x {reason}")


def _count_reasons(reports: list[Any]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for report in reports:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        counts[reason] = counts.get(reason, 0) + 1
    return counts


def _sendable(text: str) -> str:
    """Return the text with unencodable characters (lone surrogates) escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
