"""Test what can be checked of container/ without a container engine; .ci/image.py runs the image's steps."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from agent_core.worker.worker_locks import workers_folder
from chat_app.server.settings import VARIABLES, read_settings
from tests.tools.caddy import NAME, proxying
from tests.tools.debian import CADDY

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "container"
GIVEN = {
    "DATABASE_PASSWORD": "secret",
    "ADDRESS": "https://agents.example.org",
    "NAME": NAME,
    "PASSWORD_HASH": "x",
}


def image() -> ModuleType:
    """Return the script that runs the Dockerfile."""
    spec = importlib.util.spec_from_file_location("image", ROOT / ".ci" / "image.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def services() -> dict[str, Any]:
    """Return the services of the compose file with the variables that it asks for, and no others."""

    def value(match: re.Match[str]) -> str:
        name, rule, default = match.groups()
        return GIVEN[name] if rule == ":?" else GIVEN.get(name, default)

    text = (FOLDER / "compose.yaml").read_text("utf-8")
    return yaml.safe_load(re.sub(r"\$\{(\w+)(:[?-])(\w*)\}", value, text))["services"]


def test_steps_of_the_image_are_known_and_copy_files_that_are_there() -> None:
    steps = image().instructions((FOLDER / "Dockerfile").read_text("utf-8"))
    names = [name for name, _ in steps]
    assert (names[0], names[-1], names.count("FROM")) == ("FROM", "ENTRYPOINT", 2)
    let_in = re.findall(r"^!(.+)$", (FOLDER / "Dockerfile.dockerignore").read_text("utf-8"), re.M)
    copied = [
        word
        for name, value in steps
        if name == "COPY" and "--from" not in value
        for word in value.split()[:-1]
    ]
    assert sorted(copied) == sorted(let_in)
    assert all((ROOT / word).exists() for word in copied)
    assert set(read_fingerprinted()) <= {*copied}, (
        "the pages are built of these, so they must be in the image"
    )


def read_fingerprinted() -> list[str]:
    """Return the names of the sources whose changes lead to another build of the pages."""
    from chat_app.server import frontend

    return [*frontend._PACKAGES, *frontend._SOURCES]


def test_image_runs_as_a_user_without_rights_and_its_settings_are_valid() -> None:
    steps = image().instructions((FOLDER / "Dockerfile").read_text("utf-8"))
    (user,) = [value for name, value in steps if name == "USER"]
    assert int(user.partition(":")[0]) > 999
    (environment,) = [value for name, value in steps if name == "ENV"]
    given = dict(pair.split("=", 1) for pair in environment.split())
    assert read_settings(given).data_dir == Path("/data")
    build = {value.partition("=")[0] for name, value in steps if name == "ARG"}
    assert build <= {variable.name for variable in VARIABLES}


def locks_folder() -> str:
    """Return the folder that has the folders of lock files of the image's user."""
    folder = workers_folder(make_url("postgresql://agents@database/agents"), None)
    assert folder is not None
    assert folder.parents[1] == Path(tempfile.gettempdir())
    return f"/tmp/{folder.parent.name.replace(str(os.getuid()), '10001')}"


def test_folder_of_lock_files_is_in_the_image_for_its_user() -> None:
    """A volume takes the owner and mode of the folder of the image that it covers."""
    text = (FOLDER / "Dockerfile").read_text("utf-8")
    (made,) = re.findall(r"install --directory --owner=agents --group=agents --mode=700 (.+)", text)
    assert made.split() == ["/data", locks_folder()]


@pytest.mark.parametrize("name", ["migrate", "web", "worker"])
def test_service_of_the_app_has_valid_settings_and_writes_nothing_but_its_volumes(name: str) -> None:
    service = services()[name]
    settings = read_settings(service["environment"] | {"CHAT_HOST": "0.0.0.0"})
    assert settings.database_url.startswith("postgresql://agents:secret@database/")
    assert settings.sign_in.user_header == "x-forwarded-user"
    assert settings.work == (name != "web")
    assert (service["read_only"], service["tmpfs"], service["cap_drop"]) == (True, ["/tmp"], ["ALL"])
    assert int(service["stop_grace_period"].removesuffix("s")) > settings.grace
    assert service["volumes"] == [f"locks:{locks_folder()}"]
    assert "ports" not in service, "people come through the proxy, which signs them in"


def test_proxy_has_what_its_configuration_asks_for() -> None:
    asked = set(re.findall(r"\{\$(\w+)\}", (FOLDER / "Caddyfile").read_text("utf-8")))
    assert asked == set(services()["proxy"]["environment"])


def test_caddy_of_the_proxy_page_reads_its_example() -> None:
    page = (ROOT / "docs" / "how-to" / "proxy.md").read_text("utf-8")
    (example,) = re.findall(r"^```\n(agents\.example\.org \{.+?)^```", page, re.M | re.S)
    if CADDY.find() is None:
        CADDY.require()
    with proxying(example, {"agents.example.org": "{$ADDRESS}"}) as address:
        assert address.startswith("http://localhost:")


@pytest.mark.parametrize("name", [".service", "-backup.service", "-backup.timer"])
def test_unit_is_valid_and_open_to_nothing_that_it_does_not_need(name: str, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("No systemd-analyze was found, so the unit for systemd IS NOT CHECKED.")
    for each in (*FOLDER.glob("*.service"), *FOLDER.glob("*.timer")):
        text = each.read_text("utf-8").replace("/srv/agents/.venv/bin/python", "/bin/true")
        (tmp_path / each.name).write_text(text.replace("/srv/agents", "/"))
    unit = tmp_path / f"durable-agents{name}"
    done = subprocess.run([verify, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if unit.suffix == ".service":
        # 2.0 of 10; it is 1.3 with systemd 252
        rating = [verify, "security", "--offline=true", "--threshold=20", unit]
        done = subprocess.run(rating, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-300:] + done.stderr
