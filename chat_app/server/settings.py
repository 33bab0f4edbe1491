"""Settings of the app: environment variables, or the same lines in `.env`.

The table in docs/reference/configuration.md and the lines of .env.example list the same variables as
`VARIABLES`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import load_dotenv

from agent_core.errors import ValidationError
from agent_core.support.argument_checks import did_you_mean
from chat_app.branding import Branding, read_branding
from chat_app.logs import LEVELS
from chat_app.server.origins import Origin, parse_address
from chat_app.server.setting_values import (
    Reach,
    WebhookSetting,
    is_redis_url,
    parse_choice,
    parse_count,
    parse_days,
    parse_file,
    parse_http_url,
    parse_limit,
    parse_listening,
    parse_model_name,
    parse_modules,
    parse_port,
    parse_positive,
    parse_reach,
    parse_seconds,
    parse_switch,
    parse_webhook,
)
from chat_app.server.sign_in import SignIn, read_sign_in

ENGINES = ("builtin", "procrastinate")
_DATABASES = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class _Variable:
    """Environment variable: its name, its default in words, and its meaning."""

    name: str
    default: str
    meaning: str


VARIABLES = (
    _Variable("CHAT_HOST", "127.0.0.1", "Address to listen on; 0.0.0.0 opens the app to the network."),
    _Variable("CHAT_PORT", "3000", "Port for the pages, the API and the socket."),
    _Variable(
        "CHAT_ORIGINS",
        "this machine's own",
        "Public addresses of the app behind a proxy, such as https://agents.example.org.",
    ),
    _Variable("CHAT_SIGN_IN", "none", "local lets people sign in with accounts of the app and passwords."),
    _Variable(
        "CHAT_USER_HEADER",
        "none",
        "Header in which a proxy that signs people in names the person, such as X-Forwarded-User.",
    ),
    _Variable(
        "CHAT_OIDC_ISSUER", "none", "OpenID provider that signs people in: https://accounts.example.org."
    ),
    _Variable("CHAT_OIDC_CLIENT_ID", "none", "Name of this app at the OpenID provider."),
    _Variable("CHAT_OIDC_CLIENT_SECRET", "none", "Secret of this app at the OpenID provider."),
    _Variable(
        "CHAT_OIDC_ALLOW",
        "none",
        "Whom to let in: domains and e-mail addresses, such as example.org,ann@other.org; * lets in everybody.",
    ),
    _Variable(
        "CHAT_OIDC_ADMIN_CLAIM",
        "none",
        "Who administers the app: a claim of the provider and its value there, such as groups:admins.",
    ),
    _Variable("CHAT_ADMINS", "none", "Names of the people who administer the app, with commas between them."),
    _Variable(
        "CHAT_OPEN",
        "0",
        "1 lets everybody who reaches the app use it without sign-in, also from other machines.",
    ),
    _Variable("CHAT_DATA_DIR", "data", "Folder for the database and the demo's outbox."),
    _Variable(
        "CHAT_DATABASE_URL",
        "agents.db in CHAT_DATA_DIR",
        "sqlite:///path/to/file.db, or postgresql://user@host/name.",
    ),
    _Variable(
        "CHAT_WORK", "1", "0 leaves all work to workers elsewhere; this process serves the pages only."
    ),
    _Variable(
        "CHAT_ENGINE",
        "builtin",
        "What tells workers of due work: builtin, or procrastinate, which needs PostgreSQL and its package.",
    ),
    _Variable("CHAT_MAX_PARALLELISM", "64", "How many model steps a process runs at once."),
    _Variable("CHAT_TOOL_PARALLELISM", "as CHAT_MAX_PARALLELISM", "How many tools a process runs at once."),
    _Variable(
        "CHAT_MAX_PER_USER",
        "none",
        "How many chats of one person run at once, in all processes together; tools of a running turn do not count.",
    ),
    _Variable(
        "CHAT_GRACE",
        "30",
        "Seconds that running steps and tools get to end when the process is stopped.",
    ),
    _Variable(
        "CHAT_METRICS",
        "0",
        "1 serves /metrics in Prometheus' text format to everybody who can reach the app.",
    ),
    _Variable(
        "CHAT_DELETE_AFTER_DAYS",
        "never",
        "Days without activity after which a chat is deleted, unless it is pinned or has a schedule.",
    ),
    _Variable(
        "CHAT_REDIS_URL",
        "none",
        "redis://host:6379/0, where several web processes share the tabs' state; rediss:// and unix:// work too.",
    ),
    _Variable("CHAT_WEB_WORKERS", "1", "Web processes of this server; more than one needs CHAT_REDIS_URL."),
    _Variable(
        "CHAT_WEBHOOK_URL",
        "none",
        "Address that gets the events of all chats as signed webhooks; https://, or http:// on this machine. off ends them.",
    ),
    _Variable(
        "CHAT_WEBHOOK_SECRET",
        "none",
        "whsec_ and 24 to 64 bytes in Base64, which sign the webhooks; several with spaces between them.",
    ),
    _Variable("CHAT_MODEL", "found at start", "A litellm model name, such as openai/gpt-5-mini, or demo."),
    _Variable(
        "CHAT_TITLE_MODEL",
        "the thread's own",
        "The model that names a thread after its first answer; none keeps the first words of the prompt.",
    ),
    _Variable("OPENAI_BASE_URL", "none", "An OpenAI-compatible server, such as http://127.0.0.1:1234/v1."),
    _Variable(
        "CHAT_LOG_LEVEL",
        "INFO",
        "The app's log level: DEBUG, INFO, WARNING, ERROR or CRITICAL; libraries log from WARNING on.",
    ),
    _Variable("CHAT_EXTENSIONS", "none", "Modules that extend the app, such as examples.custom_page,mine."),
    _Variable("CHAT_NAME", "Durable Agents", "Name of the app on its pages; at most 40 characters."),
    _Variable("CHAT_LOGO", "the app's own", "An .svg or .png file, square and at most 256 KB."),
    _Variable(
        "CHAT_ACCENT",
        "#3f5bd8",
        "Colour of buttons and links; made darker or lighter where it would not be legible.",
    ),
    _Variable(
        "CHAT_MCP_SERVERS",
        "none",
        "A JSON file with MCP servers whose tools the app's agent has, in the format of other MCP clients.",
    ),
    _Variable(
        "CHAT_MCP_FORM",
        "any; none with CHAT_OPEN",
        "Addresses of the MCP servers that administrators may add: any, public (the internet's only), or none.",
    ),
    _Variable("CHAT_DEMO", "0", "1 adds a button to the page that kills the server; set by `make demo`."),
    _Variable("CHAT_DEMO_SPEED", "1", "Speed of the demo model, as a multiple of reading speed."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """Checked settings of the app.

    Attributes:
        host: address to listen on.
        port: 1 to 65535.
        origins: further origins at which the app is reached.
        base_path: path below which the app is served, such as /agents; "" for none.
        sign_in: who says which person sends a request.
        data_dir: absolute path of a folder, which need not exist yet.
        database_url: SQLAlchemy URL.
        work: whether the server of the pages runs work, too.
        engine: one of `ENGINES`.
        max_parallelism: how many model steps a process runs at once, from 1.
        tool_parallelism: how many tools a process runs at once, from 1.
        max_per_user: how many chats of one person run at once, in all processes, from 1; None: no limit.
        grace: seconds that running steps and tools get to end when the process is stopped, from 0.
        metrics: whether the server of the pages serves /metrics.
        delete_after_days: days without activity after which a chat is deleted; None: never.
        redis_url: URL of the Redis that holds the tabs' state; None to hold it in the process.
        web_workers: number of web processes; 1 without `redis_url`.
        webhook: receives the events of all chats; "off" switches them off for the database; None changes nothing.
        model: value of CHAT_MODEL; None to choose an available model.
        title_model: "own" for the thread's model, "none" for no title requests, or a litellm model name.
        openai_base_url: address of an OpenAI-compatible server; None for OpenAI itself.
        extensions: names of the modules that extend the app, in the order of their import.
        mcp_servers: file with the MCP servers of the app's agent; None: no servers.
        mcp_form: which MCP servers administrators may add on the admin page; see `Reach`.
        log_level: one of `logs.LEVELS`.
        branding: what the app is called and looks like.
        demo: whether the page has a button that kills the server.
        demo_speed: factor on the demo model's speed, above 0.
    """

    host: str = "127.0.0.1"
    port: int = 3000
    origins: tuple[Origin, ...] = ()
    base_path: str = ""
    sign_in: SignIn = field(default_factory=SignIn)
    data_dir: Path = Path("data")
    database_url: str = "sqlite:///data/agents.db"
    work: bool = True
    engine: str = "builtin"
    max_parallelism: int = 64
    tool_parallelism: int = 64
    max_per_user: int | None = None
    grace: float = 30.0
    metrics: bool = False
    delete_after_days: float | None = None
    redis_url: str | None = None
    web_workers: int = 1
    webhook: WebhookSetting = None
    model: str | None = None
    title_model: str = "own"
    openai_base_url: str | None = None
    extensions: tuple[str, ...] = ()
    mcp_servers: Path | None = None
    mcp_form: Reach = "any"
    log_level: str = "INFO"
    branding: Branding = field(default_factory=Branding)
    demo_speed: float = 1.0
    demo: bool = False


def load_settings(dotenv: Path = Path(".env")) -> Settings:
    """Load `.env` into the environment, whose own values win, and read the settings from there.

    Raises:
        ValidationError: a value is invalid; the message says which one, and what is valid.
    """
    load_dotenv(dotenv)
    return read_settings(os.environ)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from an environment; empty values count as not set.

    Raises:
        ValidationError: see `load_settings`.
    """
    values = {name: value.strip() for name, value in environ.items() if value.strip()}
    _refuse_unknown(values)
    _refuse_reflex(values)
    data_dir, sign_in = _data_dir(values.get("CHAT_DATA_DIR", "data")), read_sign_in(values)
    origins, base_path = _origins(values.get("CHAT_ORIGINS", ""))
    database_url = _database_url(values.get("CHAT_DATABASE_URL"), data_dir)
    steps = values.get("CHAT_MAX_PARALLELISM", "64")
    redis_url = _redis_url(values.get("CHAT_REDIS_URL"))
    return Settings(
        host=parse_listening(values.get("CHAT_HOST", "127.0.0.1")),
        port=parse_port(values.get("CHAT_PORT", "3000")),
        origins=origins,
        base_path=base_path,
        sign_in=sign_in,
        data_dir=data_dir,
        database_url=database_url,
        work=parse_switch("CHAT_WORK", values.get("CHAT_WORK", "1")),
        engine=_engine(values.get("CHAT_ENGINE", "builtin"), database_url),
        max_parallelism=parse_count("CHAT_MAX_PARALLELISM", steps),
        tool_parallelism=parse_count("CHAT_TOOL_PARALLELISM", values.get("CHAT_TOOL_PARALLELISM", steps)),
        max_per_user=parse_limit("CHAT_MAX_PER_USER", values.get("CHAT_MAX_PER_USER", "none")),
        metrics=parse_switch("CHAT_METRICS", values.get("CHAT_METRICS", "0")),
        grace=parse_seconds("CHAT_GRACE", values.get("CHAT_GRACE", "30")),
        delete_after_days=parse_days("CHAT_DELETE_AFTER_DAYS", values.get("CHAT_DELETE_AFTER_DAYS", "never")),
        redis_url=redis_url,
        web_workers=_web_workers(values.get("CHAT_WEB_WORKERS", "1"), redis_url),
        webhook=parse_webhook(values.get("CHAT_WEBHOOK_URL"), values.get("CHAT_WEBHOOK_SECRET")),
        model=values.get("CHAT_MODEL"),
        title_model=parse_model_name("CHAT_TITLE_MODEL", values.get("CHAT_TITLE_MODEL", "own")),
        openai_base_url=parse_http_url("OPENAI_BASE_URL", values.get("OPENAI_BASE_URL")),
        log_level=parse_choice("CHAT_LOG_LEVEL", values.get("CHAT_LOG_LEVEL", "INFO").upper(), LEVELS),
        extensions=parse_modules(values.get("CHAT_EXTENSIONS", "")),
        mcp_servers=parse_file(values.get("CHAT_MCP_SERVERS")),
        mcp_form=parse_reach(values.get("CHAT_MCP_FORM"), is_open=sign_in.is_open and not sign_in.is_on),
        branding=read_branding(values),
        demo_speed=parse_positive("CHAT_DEMO_SPEED", values.get("CHAT_DEMO_SPEED", "1")),
        demo=parse_switch("CHAT_DEMO", values.get("CHAT_DEMO", "0")),
    )


_SET_BY_DEMO = ("CHAT_DEMO_FOLDER", "CHAT_DEMO_PYTHON")
"""Variables for supervisord's configuration, which the app's processes inherit; users do not set them."""


_SET_BY_REDIS_URL = ("REFLEX_REDIS_URL", "REFLEX_STATE_MANAGER_MODE")


def _refuse_unknown(values: Mapping[str, str]) -> None:
    """Reject unknown variables with the app's prefix, because a misspelled setting would have no effect."""
    known = [variable.name for variable in VARIABLES]
    for name in sorted(values):
        if name.upper().startswith("CHAT_") and name not in known and name not in _SET_BY_DEMO:
            ours = [each for each in known if each.startswith("CHAT_")]
            near = did_you_mean(name, ours) or f"; there are {', '.join(ours)}."
            raise ValidationError(f"{name} is not a setting of this app{near}")


def _refuse_reflex(values: Mapping[str, str]) -> None:
    """Reject Reflex's own variables for what CHAT_REDIS_URL sets, because one without the others loses tabs.

    REFLEX_REDIS_URL alone, for example, starts several processes, each with its own state of every tab.
    """
    for name in _SET_BY_REDIS_URL:
        if name in values:
            raise ValidationError(f"{name} is set; remove it. CHAT_REDIS_URL sets Reflex's state to Redis.")


def _origins(value: str) -> tuple[tuple[Origin, ...], str]:
    origins: list[Origin] = []
    paths: list[str] = []
    for text in filter(None, map(str.strip, value.split(","))):
        address = parse_address(text)
        if address is None:
            raise ValidationError(
                f"CHAT_ORIGINS contains {text!r}; it must be a comma-separated list of addresses, each a "
                "scheme, a name, and optionally a port and a path, such as https://agents.example.org:8443."
            )
        origins.append(address[0])
        paths.append(address[1])
    if len(set(paths)) > 1:
        raise ValidationError(
            f"CHAT_ORIGINS is {value!r}; all addresses must have the same path, "
            "because the app is served below one path."
        )
    return tuple(origins), paths[0] if paths else ""


def _data_dir(value: str) -> Path:
    try:
        path = Path(value).expanduser().resolve()
        with contextlib.suppress(
            FileNotFoundError, NotADirectoryError
        ):  # the doctor says why it cannot be made
            path.stat()  # from Python 3.14 on, exists() is false of a path that is too long
        is_file = path.exists() and not path.is_dir()
    except (OSError, RuntimeError) as error:  # path too long; unknown user's home folder
        raise ValidationError(f"CHAT_DATA_DIR is {value[:80]!r}, which is not a folder: {error}") from error
    if is_file:
        raise ValidationError(f"CHAT_DATA_DIR is {value!r}, which is a file; it must be a folder.")
    return path


def _database_url(value: str | None, data_dir: Path) -> str:
    if value is None:
        return f"sqlite:///{data_dir / 'agents.db'}"
    if not value.startswith(_DATABASES) or "://" not in value:
        raise ValidationError(
            "CHAT_DATABASE_URL must begin with sqlite:/// or postgresql://, such as sqlite:///data/agents.db."
        )
    return value


def _engine(value: str, database_url: str) -> str:
    engine = parse_choice("CHAT_ENGINE", value, ENGINES)
    if engine == "procrastinate" and not database_url.startswith("postgresql"):
        raise ValidationError(
            "CHAT_ENGINE is procrastinate, which works on PostgreSQL; set CHAT_DATABASE_URL to such a database, "
            "or CHAT_ENGINE to builtin."
        )
    return engine


def _redis_url(value: str | None) -> str | None:
    if value is not None and not is_redis_url(value):
        raise ValidationError(  # without the value, which may contain a password
            "CHAT_REDIS_URL must be an address such as redis://127.0.0.1:6379/0, rediss://… or unix:///path."
        )
    return value


def _web_workers(value: str, redis_url: str | None) -> int:
    workers = parse_count("CHAT_WEB_WORKERS", value)
    if workers > 1 and redis_url is None:
        raise ValidationError(
            f"CHAT_WEB_WORKERS is {workers}; more than one web process needs CHAT_REDIS_URL, "
            "such as redis://127.0.0.1:6379/0, because a tab may reach any of them."
        )
    return workers
