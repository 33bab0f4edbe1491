"""Test the settings: parsing, refusals, and the agreement of the docs' table with the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from agent_core.errors import ValidationError
from chat_app.__main__ import database_label
from chat_app.server.settings import VARIABLES, Settings, load_settings, read_settings
from chat_app.server.sign_in import SignIn

ROOT = Path(__file__).resolve().parents[3]


def test_defaults_hold_where_nothing_is_set():
    settings = read_settings({})
    assert (settings.host, settings.port, settings.model) == ("127.0.0.1", 3000, None)
    assert settings.data_dir == Path("data").resolve()
    assert settings.database_url == f"sqlite:///{settings.data_dir}/agents.db"
    assert settings == read_settings({variable.name: "  " for variable in VARIABLES})


def test_every_variable_is_read(tmp_path: Path):
    settings = read_settings(
        {
            "CHAT_HOST": "0.0.0.0",
            "CHAT_PORT": " 8080 ",
            "CHAT_USER_HEADER": "X-User",
            "CHAT_OPEN": "1",
            "CHAT_DATA_DIR": str(tmp_path),
            "CHAT_DATABASE_URL": "postgresql://localhost/agents",
            "CHAT_WORK": "0",
            "CHAT_ENGINE": "procrastinate",
            "CHAT_MAX_PARALLELISM": "8",
            "CHAT_TOOL_PARALLELISM": "4",
            "CHAT_MAX_PER_USER": "3",
            "CHAT_GRACE": "0",
            "CHAT_METRICS": "1",
            "CHAT_DELETE_AFTER_DAYS": "0.5",
            "CHAT_MODEL": "demo",
            "OPENAI_BASE_URL": "http://127.0.0.1:1234/v1/",
            "CHAT_DEMO_SPEED": "2.5",
            "CHAT_DEMO": "1",
        }
    )
    assert settings == Settings(
        host="0.0.0.0",
        port=8080,
        sign_in=SignIn("x-user", is_open=True),
        data_dir=tmp_path,
        database_url="postgresql://localhost/agents",
        work=False,
        engine="procrastinate",
        max_parallelism=8,
        tool_parallelism=4,
        max_per_user=3,
        grace=0.0,
        metrics=True,
        delete_after_days=0.5,
        model="demo",
        openai_base_url="http://127.0.0.1:1234/v1",
        demo_speed=2.5,
        demo=True,
    )


def test_the_database_lies_in_the_data_folder(tmp_path: Path):
    assert read_settings({"CHAT_DATA_DIR": str(tmp_path)}).database_url == f"sqlite:///{tmp_path}/agents.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("CHAT_HOST", value)
            for value in ("http://localhost", "127.0.0.1:3000", "[::1]", "*", "3000", "a b")
        ),
        ("CHAT_PORT", "0"),
        ("CHAT_PORT", "65536"),
        ("CHAT_PORT", "three thousand"),
        ("CHAT_PORT", "٣٠٠٠"),
        ("CHAT_PORT", "9" * 5000),
        ("CHAT_DATA_DIR", "~nobody-of-this-machine/data"),
        ("CHAT_DATA_DIR", "x" * 5000),
        ("CHAT_REDIS_URL", "127.0.0.1:6379"),
        ("CHAT_REDIS_URL", "http://127.0.0.1:6379"),
        ("CHAT_REDIS_URL", "redis://"),
        ("CHAT_REDIS_URL", "redis://[::1/0"),
        ("CHAT_REDIS_URL", "redis://127.0.0.1:99999/0"),
        ("CHAT_REDIS_URL", "redis://127.0.0.1 /0"),
        ("CHAT_WEB_WORKERS", "0"),
        ("CHAT_WEB_WORKERS", "two"),
        ("CHAT_WEB_WORKERS", "2"),
        ("REFLEX_REDIS_URL", "redis://127.0.0.1:6379/0"),
        ("REFLEX_STATE_MANAGER_MODE", "redis"),
        ("CHAT_TITLE_MODEL", "openai/\u200bgpt-5"),
        ("CHAT_DATABASE_URL", "agents.db"),
        ("CHAT_DATABASE_URL", "mysql://localhost/agents"),
        ("OPENAI_BASE_URL", "127.0.0.1:1234"),
        ("OPENAI_BASE_URL", "http://[::1/v1"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:abc/v1"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:99999/v1"),
        ("OPENAI_BASE_URL", "http://:1234/v1"),
        ("OPENAI_BASE_URL", "http://127.0.0.1/v\x011"),
        ("OPENAI_BASE_URL", "http://127.0.0.1/v 1"),
        ("CHAT_WORK", "no"),
        ("CHAT_ENGINE", "celery"),
        ("CHAT_ENGINE", "procrastinate"),  # without PostgreSQL
        ("CHAT_MAX_PARALLELISM", "0"),
        ("CHAT_MAX_PARALLELISM", "1.5"),
        ("CHAT_MAX_PARALLELISM", "9" * 5000),
        ("CHAT_TOOL_PARALLELISM", "-1"),
        ("CHAT_MAX_PER_USER", "0"),
        ("CHAT_MAX_PER_USER", "few"),
        ("CHAT_GRACE", "-1"),
        ("CHAT_GRACE", "nan"),
        ("CHAT_GRACE", "soon"),
        ("CHAT_METRICS", "on"),
        ("CHAT_DELETE_AFTER_DAYS", "0"),
        ("CHAT_DELETE_AFTER_DAYS", "-1"),
        ("CHAT_DELETE_AFTER_DAYS", "nan"),
        ("CHAT_DELETE_AFTER_DAYS", "always"),
        ("CHAT_DEMO", "yes"),
        ("CHAT_DEMO_SPEED", "0"),
        ("CHAT_DEMO_SPEED", "-1"),
        ("CHAT_DEMO_SPEED", "nan"),
        ("CHAT_DEMO_SPEED", "inf"),
        ("CHAT_DEMO_SPEED", "fast"),
    ],
)
def test_unusable_values_are_refused_in_one_sentence(name: str, value: str):
    with pytest.raises(ValidationError) as caught:
        read_settings({name: value})
    assert str(caught.value).startswith(name)
    assert "\n" not in str(caught.value)


def test_tools_get_as_many_slots_as_steps_unless_they_are_given_others():
    assert read_settings({"CHAT_MAX_PARALLELISM": "7"}).tool_parallelism == 7


@pytest.mark.parametrize(
    "value",
    [
        "htp://anna:secret@127.0.0.1/v1",
        "anna:secret@127.0.0.1/v1",
        "http://anna:secret@127.0.0.1:abc/v1",
        "http://anna:secret/1@127.0.0.1/v1",
        "http://127.0.0.1/v1?api_key=secret",
        "http://127.0.0.1/v1#secret",
    ],
)
def test_password_in_a_refused_address_is_not_shown(value: str):
    with pytest.raises(ValidationError, match=r"^OPENAI_BASE_URL must be an address") as caught:
        read_settings({"OPENAI_BASE_URL": value})
    assert "secret" not in str(caught.value)


def test_password_in_a_refused_redis_url_is_not_shown():
    with pytest.raises(ValidationError, match=r"^CHAT_REDIS_URL must be") as caught:
        read_settings({"CHAT_REDIS_URL": "redis://:secret@127.0.0.1:port/0"})
    assert "secret" not in str(caught.value)


WHSEC = "whsec_" + "A" * 43 + "="


def test_webhook_needs_a_url_and_a_secret_and_may_have_several():
    given = {
        "CHAT_WEBHOOK_URL": "https://me:hunter2@example.org/T0K3N",
        "CHAT_WEBHOOK_SECRET": f"{WHSEC} {WHSEC}",
    }
    settings = read_settings(given)
    assert repr(settings.webhook) == "Webhook('example.org')"
    assert not [word for word in ("hunter2", "T0K3N", "AAAA") if word in repr(settings)]
    assert read_settings({"CHAT_WEBHOOK_URL": "off"}).webhook == "off"


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("https://example.org", ""),
        ("", WHSEC),
        ("http://example.org/T0K3N", WHSEC),
        ("T0K3N", WHSEC),
        ("https://example.org/T0K3N", "hunter2"),
    ],
)
def test_an_invalid_webhook_is_refused_and_not_shown(url: str, secret: str):
    with pytest.raises(ValidationError, match=r"^CHAT_WEBHOOK_") as caught:
        read_settings({"CHAT_WEBHOOK_URL": url, "CHAT_WEBHOOK_SECRET": secret})
    assert not [word for word in ("hunter2", "T0K3N", "AAAA") if word in str(caught.value)]


@pytest.mark.parametrize(
    "url", ["redis://:secret@10.0.0.7:6379/1", "rediss://redis.example", "unix:///run/redis.sock"]
)
def test_redis_allows_several_web_workers(url: str):
    settings = read_settings({"CHAT_REDIS_URL": url, "CHAT_WEB_WORKERS": "3"})
    assert (settings.redis_url, settings.web_workers) == (url, 3)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CHAT_PROT", "did you mean CHAT_PORT?"),
        ("CHAT_MODELL", "did you mean CHAT_MODEL?"),
        ("CHAT_DATABASE", "did you mean CHAT_DATABASE_URL?"),
        ("CHAT_DATADIR", "did you mean CHAT_DATA_DIR?"),
        ("CHAT_EXTENSION", "did you mean CHAT_EXTENSIONS?"),
        ("CHAT_ORIGIN", "did you mean CHAT_ORIGINS?"),
        ("chat_port", "did you mean CHAT_PORT?"),
        ("CHAT_XYLOPHONE", "there are CHAT_HOST, CHAT_PORT, "),
    ],
)
def test_variable_that_does_nothing_is_refused(name: str, near: str):
    with pytest.raises(ValidationError) as caught:
        read_settings({name: "1"})
    assert str(caught.value).startswith(f"{name} is not a setting of this app; ")
    assert near in str(caught.value)


def test_variables_of_others_and_empty_ones_are_left_alone():
    assert read_settings({"CHATTER_PORT": "1", "OPENAI_API_KEY": "k", "CHAT_PROT": " "}) == read_settings({})
    read_settings({"CHAT_DEMO_FOLDER": "/x", "CHAT_DEMO_PYTHON": "/x"})


def test_misspelt_variable_ends_the_start_with_its_sentence(tmp_path: Path):
    environ = {**os.environ, "CHAT_PROT": "1", "CHAT_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "chat_app"]
    ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.strip() == "CHAT_PROT is not a setting of this app; did you mean CHAT_PORT?"


def test_a_file_is_no_data_folder(tmp_path: Path):
    (tmp_path / "data").touch()
    with pytest.raises(ValidationError, match="must be a folder"):
        read_settings({"CHAT_DATA_DIR": str(tmp_path / "data")})


def test_dotenv_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / ".env").write_text("CHAT_PORT=4000\nCHAT_HOST=0.0.0.0\nGROQ_API_KEY=from-the-file\n")
    for name in ("CHAT_PORT", "GROQ_API_KEY"):  # registered with monkeypatch, which removes them afterwards
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHAT_HOST", "127.0.0.2")
    settings = load_settings(tmp_path / ".env")
    assert (settings.port, settings.host) == (4000, "127.0.0.2")
    assert os.environ["GROQ_API_KEY"] == "from-the-file"


def test_the_table_in_the_docs_is_the_one_in_the_code():
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", page, re.M)
    assert rows == [(variable.name, variable.default, variable.meaning) for variable in VARIABLES]


def test_the_example_file_names_the_variables_a_person_sets():
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    named = set(re.findall(r"^#?(\w+)=", example, re.M))
    assert {variable.name for variable in VARIABLES if variable.name.startswith("CHAT_")} - named <= {
        "CHAT_DATABASE_URL",
        "CHAT_DEMO_SPEED",
    }


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///data/agents.db", "data/agents.db"),
        ("postgresql://anna:secret@host/agents", "postgresql://anna:***@host/agents"),
    ],
)
def test_a_password_is_not_printed(url: str, name: str):
    assert database_label(url) == name


def test_origins_are_read_with_the_one_path_they_share():
    settings = read_settings(
        {"CHAT_ORIGINS": " https://Agents.example.org/agents/ ,http://10.0.0.7:8080/agents,"}
    )
    assert [str(origin) for origin in settings.origins] == [
        "https://agents.example.org",
        "http://10.0.0.7:8080",
    ]
    assert settings.base_path == "/agents"
    assert read_settings({"CHAT_ORIGINS": "https://agents.example.org"}).base_path == ""


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("*", "'*'"),
        ("https://a.example.org,https://*.example.org", "'https://*.example.org'"),
        ("agents.example.org", "'agents.example.org'"),
        ("null", "'null'"),
        ("https://a.example.org/?next=1", "'https://a.example.org/?next=1'"),
        ("https://ada@a.example.org", "'https://ada@a.example.org'"),
        ("https://a.example.org/agents,http://localhost:3000", "the same path"),
    ],
)
def test_origins_that_are_none_are_refused_in_one_sentence(value: str, named: str):
    with pytest.raises(ValidationError, match="CHAT_ORIGINS") as caught:
        read_settings({"CHAT_ORIGINS": value})
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
