"""Follow docs/how-to/team.md word by word, on a machine with systemd: to five people, a key, a backup, and an upgrade.

The machine has no network, so what comes from there is replaced: Debian's packages and the address of the sources, and
for `make build` Python's packages and the built pages, whose making takes minutes.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_core.store.database.migrate import newest_schema
from tests.support.docs.doc_pages import ROOT
from tests.tools.debian import CADDY
from tests.tools.machine import Machine, machine

PAGE = (ROOT / "docs" / "how-to" / "team.md").read_text(encoding="utf-8")
NAME = "agents.example.org"
ADDRESS = f"https://{NAME}"
PASSWORD = "a long password"
PEOPLE = {"admin": "admin", "ann": "admin", "bob": "member", "carol": "member", "dan": "member"}
SOURCES = (
    *("agent_core", "assets", "chat_app", "container", ".ci", "Makefile", "rxconfig.py", "reflex.lock"),
    *("requirements.txt", ".gitignore"),
)
PACKAGES = {"git", "make", "python3", "python3-venv", "caddy", "curl"}
"""Packages that this machine has, because the tests need them themselves."""
APT_GET = f"""#!/bin/sh
for package; do case $package in
    update|install|--yes) ;;
    {"|".join(sorted(PACKAGES - {"caddy"}))}) ;;
    caddy) systemctl enable --now caddy ;;
    *) echo "unknown: $package"; exit 1 ;;
esac done
"""
MAKE = f"""#!/bin/bash
set -e
if [ ! -d .venv ]; then
    mkdir -p .venv/bin
    ln -s /opt/python/bin/{Path(sys.executable).resolve().name} .venv/bin/python
    ln -s /opt/venv/lib .venv/lib
    echo "home = /opt/python/bin" > .venv/pyvenv.cfg
    touch .venv/.made .venv/.app
fi
touch --date 2000-01-01 requirements.txt
mkdir -p .web/backend .web/build/client/__base__
echo "<p>The page.</p>" > .web/build/client/__base__/index.html
echo "[]" > .web/backend/stateful_pages.json
.venv/bin/python -c 'import chat_app.chat_app, chat_app.server.frontend as f; print(f.fingerprint(), end="")' > .web/fingerprint
exec /usr/bin/make "$@"
"""
NEXT = '''"""The next version."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "{before}"


def upgrade() -> None:
    """Add a table."""
    op.create_table("agent_next", sa.Column("id", sa.Integer(), primary_key=True))
'''

pytestmark = pytest.mark.timeout(1200)


def blocks(step: int) -> list[tuple[str, str]]:
    """Return the language and the text of each block in a step of the page."""
    sections = re.split(r"^## (\d+)\. .+$", PAGE, flags=re.M)
    text = dict(zip(sections[1::2], sections[2::2], strict=True))[str(step)]
    return re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)


class Newcomer:
    """A person who follows the page as root of a machine."""

    def __init__(self, it: Machine) -> None:
        self.it = it

    def follow(self, step: int) -> str:
        """Run the commands of a step, and return what they print."""
        said = [self.it.run(text) for language, text in blocks(step) if language == "sh"]
        assert said, f"step {step} has no command"
        return "".join(said)

    def until_it_answers(self) -> None:
        """Wait until the app answers on its own port."""
        asked = "curl --silent --fail --retry 60 --retry-delay 1 --retry-connrefused localhost:3000/ping"
        self.it.run(f"{asked} || (journalctl --no-pager --unit durable-agents; exit 1)")

    def submit(self, path: str, browser: str, **fields: str) -> None:
        """Submit a form of the sign-in by https, as a browser with these cookies."""
        sent = " ".join(f"--data-urlencode '{name}={value}'" for name, value in fields.items())
        cookies = f"--cookie /tmp/{browser} --cookie-jar /tmp/{browser}"
        self.it.run(f"curl -sS --fail {cookies} -H 'Origin: {ADDRESS}' {sent} {path}")

    def get(self, path: str, *options: str) -> str:
        """Return what an address answers by https."""
        return self.it.run(" ".join(("curl -sS --fail", *options, ADDRESS + path)))

    def threads(self, key: str) -> int:
        """Return how many threads the owner of a key has."""
        return len(json.loads(self.get("/api/threads", f"-H 'Authorization: Bearer {key}'"))["threads"])

    def schema(self) -> str:
        """Return what the doctor says about the schema; it finds no problem."""
        said = self.it.run("durable-agents doctor")
        assert said.endswith("No problems.\n")
        return next(line for line in said.splitlines() if " schema " in line)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A repository with the sources as they are now."""
    folder = tmp_path / "agents.git"
    folder.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "external", "node_modules")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _commit(folder)
    return folder


def _commit(folder: Path) -> None:
    _git(folder, "add", "--all")
    _git(folder, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "--message=x")


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


@pytest.fixture
def newcomer(sources: Path) -> Iterator[Newcomer]:
    """A newcomer at a machine that has the packages and the sources that they will ask for."""
    CADDY.require()
    library = Path(sys.prefix).resolve()
    with machine(
        {sources: "/opt/agents.git", library: "/opt/venv", Path(sys.base_prefix): "/opt/python"}
    ) as it:
        (url,) = re.findall(r"git clone (\S+)", PAGE)
        it.run(f"git config --system url./opt/agents.git.insteadOf {url}")
        it.run("git config --system --add safe.directory '*'")
        it.run(f"echo 127.0.0.1 localhost {NAME} > /etc/hosts; rm -f /etc/nginx/sites-enabled/default")
        it.run("echo /opt/python/lib > /etc/ld.so.conf.d/00-python.conf; ldconfig")
        it.write("/usr/local/bin/apt-get", APT_GET, "755")
        it.write("/usr/local/bin/make", MAKE, "755")
        yield Newcomer(it)


def test_commands_of_the_page_lead_to_what_it_promises(newcomer: Newcomer, sources: Path) -> None:
    _installs(newcomer)
    _signs_people_in(newcomer)
    key = _calls_it_with_openais_client(newcomer)
    _backs_up_and_restores(newcomer, key)
    _upgrades_and_rolls_back(newcomer, sources, key)


def _installs(newcomer: Newcomer) -> None:
    for step in range(1, 6):
        newcomer.follow(step)
    newcomer.until_it_answers()
    assert newcomer.follow(6).endswith("No problems.\n")
    assert f"{ADDRESS} leads to the app" in newcomer.it.run("durable-agents doctor")
    private = newcomer.it.run("stat --format='%U %a' /srv/agents/.env /var/lib/agents")
    assert private == "agents 600\nagents 700\n"


def _signs_people_in(newcomer: Newcomer) -> None:
    links = {"admin": re.findall(r"https://\S+/link/\S+", newcomer.follow(7))[-1]}
    links |= dict(re.findall(r"Send (\w+) this link, which works once: (\S+)", newcomer.follow(8)))
    assert set(links) == set(PEOPLE)
    for name, link in links.items():
        assert link.startswith(f"{ADDRESS}/link/")
        newcomer.submit(link, f"{name}-at-first", password=PASSWORD, again=PASSWORD)
        newcomer.submit(f"{ADDRESS}/sign-in", name, name=name, password=PASSWORD)
        role = PEOPLE[name].capitalize()
        assert f"You are signed in as {name} ({role}" in newcomer.get("/account", f"--cookie /tmp/{name}")
        assert "The page." in newcomer.get("/", f"--cookie /tmp/{name}")
    assert "__Host-chat_session" in newcomer.it.run("cat /tmp/bob"), "the cookie is sent by https alone"


def _calls_it_with_openais_client(newcomer: Newcomer) -> str:
    key = newcomer.follow(9).strip()
    program, command = (text for language, text in blocks(9) if language != "sh")
    newcomer.it.write("/root/ask.py", program)
    newcomer.it.write("/usr/local/bin/python3", '#!/bin/sh\nexec /srv/agents/.venv/bin/python "$@"\n', "755")
    trusted = {"SSL_CERT_FILE": "/usr/local/share/ca-certificates/agents.crt"}  # as the page says
    asked = command.removeprefix("$ ").replace("rda_…", key)
    assert "demo model" in newcomer.it.run(f"cd /root; {asked}", **trusted)
    (thread,) = json.loads(newcomer.get("/api/threads", "--cookie /tmp/bob"))["threads"]
    assert thread["title"] == "Say hello."
    assert json.loads(newcomer.get("/api/threads", "--cookie /tmp/ann"))["threads"] == []
    return key


def _backs_up_and_restores(newcomer: Newcomer, key: str) -> None:
    old = "/var/backups/agents/2000-01-01-000000.db /var/backups/agents/mine.db"
    newcomer.it.run(f"mkdir -p /var/backups/agents; touch --date 2000-01-01 {old}")
    listed = newcomer.follow(10)
    assert "2000" not in re.sub(r"\S+ +\S+ +2000 ", "", listed), "what is old is deleted"
    assert "mine.db" in listed, "what has another name is kept"
    newcomer.it.run("rm /var/backups/agents/mine.db")
    assert "durable-agents-backup.service" in newcomer.it.run("systemctl list-timers --no-pager")

    json_type = "-H 'Content-Type: application/json'"
    newcomer.get("/api/threads", f"-H 'Authorization: Bearer {key}'", json_type, "--data '{}'")
    assert newcomer.threads(key) == 2
    proof = newcomer.follow(11)
    newcomer.until_it_answers()
    assert "/var/lib/agents-proof/agents.db has 1 thread" in proof
    assert dict(re.findall(r"^(\w+) +(admin|member)$", proof, re.M)) == PEOPLE
    assert newcomer.threads(key) == 1, "as it was at the backup"
    newcomer.it.run("ls /var/lib/agents/agents.db.before-*; test ! -e /var/lib/agents-proof")


def _upgrades_and_rolls_back(newcomer: Newcomer, sources: Path, key: str) -> None:
    before = newest_schema()
    versions = sources / "agent_core" / "store" / "migrations" / "versions"
    (versions / "9999_next.py").write_text(NEXT.format(before=before))
    _commit(sources)
    said = newcomer.follow(12)
    newcomer.until_it_answers()
    assert f"The schema is behind: {before}" in said
    assert "has this version's schema" in said
    assert "The schema is 9999" in newcomer.schema()
    assert newcomer.threads(key) == 1

    newcomer.follow(13)
    newcomer.until_it_answers()
    log = newcomer.it.run("journalctl --unit durable-agents --output cat")
    assert f"has schema 9999, newer than this version's {before}" in log
    assert newcomer.threads(key) == 1
    assert "signed in as dan" in newcomer.get("/account", "--cookie /tmp/dan")
