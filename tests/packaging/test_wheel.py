"""Test the sdist and the wheel: they are built, and the wheel is tried in a bare environment."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.docs.test_readme import readme_program
from tests.packaging.bare import Bare

ROOT = Path(__file__).parents[2]
PACKAGES = ("agent_core", "chat_app")
OF_EXTRAS = {"greenlet", "mcp", "mcp_types", "opentelemetry", "procrastinate", "psycopg"}
NEED_AN_EXTRA = {
    *(
        f"agent_core.mcp.{name}"
        for name in (
            "agent_server",
            "authorization_server",
            "client",
            "connection",
            "grant_auth",
            "message_filter",
            "transports",
        )
    ),
    "agent_core.store.database.interleave",
    "agent_core.store.database.postgresql.pipeline",
    "agent_core.store.database.postgresql.writer_connection",
    "agent_core.monitoring.tracing",
}
IMPORT_ALL = """
import importlib, json, pkgutil, sys
import agent_core
missing = {}
for module in pkgutil.walk_packages(agent_core.__path__, "agent_core."):
    if ".migrations" not in module.name and not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            missing[module.name] = str(error)
said = {}
def say(name, call):
    try:
        call()
    except (agent_core.errors.ValidationError, SystemExit) as error:
        said[name] = str(error)
async def use(server):
    async with agent_core.Runtime() as runtime, server:
        pass
from agent_core.worker.procrastinate import ProcrastinateEngine
from chat_app import command
url = "postgresql://user@127.0.0.1:1/name"
say("postgresql", lambda: agent_core.migrate_database(url))
say("procrastinate", lambda: ProcrastinateEngine(url))
say("app", lambda: command.main(["run"]))
say("mcp", lambda: __import__("agent_core.mcp.server", fromlist=["_library"])._library())
said["otel"] = missing.get("agent_core.monitoring.tracing", "")
command.main(["migrate", "sqlite:///agents.db"])
print(json.dumps({"missing": sorted(missing), "said": said}))
"""


MIGRATE_APP = """
import os
from chat_app.command import main
start = os.getcwd()
main(["migrate"])
os.chdir(start)
os.environ["XDG_CACHE_HOME"] = f"{start}/file"
try:
    main(["migrate"])
except SystemExit as error:
    print(error)
"""


def run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Bare:
    return Bare(tmp_path_factory.mktemp("environment"), wheel)


def test_the_wheel_has_every_file(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in names
    for path in (ROOT / "rxconfig.py", *(ROOT / "reflex.lock").iterdir(), *(ROOT / "assets").glob("[!e]*/*")):
        assert f"chat_app/site/{path.relative_to(ROOT).as_posix()}" in names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)


def test_everything_that_agent_core_imports_is_declared(bare: Bare) -> None:
    named: set[str] = set()
    for path in (bare.packages / "agent_core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                named |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                named.add(node.module)
    tops = {name.split(".")[0] for name in named} - sys.stdlib_module_names
    assert {top for top in tops if PathFinder.find_spec(top, [str(bare.packages)]) is None} == OF_EXTRAS


def test_agent_core_imports_nothing_of_an_extra_and_names_it_when_it_is_needed(
    bare: Bare, tmp_path: Path
) -> None:
    found = json.loads(run(bare.command("-c", IMPORT_ALL), tmp_path, bare.environment).splitlines()[-1])
    assert set(found["missing"]) == NEED_AN_EXTRA
    assert set(found["said"]) == {"app", "mcp", "otel", "postgresql", "procrastinate"}
    for extra, sentence in found["said"].items():
        assert f'pip install "reflex-durable-agents[{extra}]"' in sentence


def test_an_installed_app_keeps_its_data_where_it_is_started_and_writes_nothing_beside_the_package(
    bare: Bare, tmp_path: Path
) -> None:
    before = sorted(bare.packages.rglob("*"))
    (tmp_path / ".env").write_text("CHAT_DATABASE_URL=sqlite:///own/threads.db\n")
    environment = bare.environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    # -P without -S: this environment has Reflex, and not the packages themselves.
    (tmp_path / "file").touch()
    said = run([sys.executable, "-P", "-B", "-c", MIGRATE_APP], tmp_path, environment).splitlines()
    assert said[0] == f"{tmp_path}/own/threads.db has this version's schema."
    assert said[1].startswith(f"The pages cannot be built in {tmp_path}/file/durable-agents/")
    assert (tmp_path / "own" / "threads.db").is_file()
    (folder,) = (tmp_path / "cache" / "durable-agents").iterdir()
    assert {"rxconfig.py", "assets", "reflex.lock"} <= {path.name for path in folder.iterdir()}
    assert sorted(bare.packages.rglob("*")) == before


def test_the_readme_s_program_is_typed(bare: Bare, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(readme_program(), encoding="utf-8")
    settings = {
        **{"include": ["program.py"], "typeCheckingMode": "strict"},
        **{"venvPath": str(bare.folder.parent), "venv": bare.folder.name},
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    run([sys.executable, "-m", "pyright", "--project", str(tmp_path)], ROOT)
