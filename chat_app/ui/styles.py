"""Design tokens: the colours, sizes and fonts of the pages.

The rules that use them are plain CSS in assets/styles. A custom theme is another pair of dicts.
"""

from chat_app.branding import ANY_LOGO, ANY_NAME, any_tokens
from chat_app.server.frontend import is_for_any_site
from chat_app.server.settings import load_settings

_BRANDING = load_settings().branding
_LIGHT_ACCENT, _DARK_ACCENT = (
    (any_tokens("light"), any_tokens("dark")) if is_for_any_site() else _BRANDING.tokens()
)
NAME = ANY_NAME if is_for_any_site() else _BRANDING.name
"""Name of the app, shown above the list of threads and in the title of the browser's tab."""

LOGO = ANY_LOGO if is_for_any_site() else "/favicon.svg"
"""Address of the logo; in development it is the app's own."""

LIGHT = {
    "page": "#ffffff",
    "side": "#f8f8f9",
    "raised": "#ffffff",
    "muted": "#f3f3f5",
    "hover": "#ececef",
    "line": "#e3e3e7",
    "strong-line": "#c9c9d0",
    "text": "#1b1b1f",
    "soft": "#55555f",
    "faint": "#65656f",
    **_LIGHT_ACCENT,
    "danger": "#b3261e",
    "danger-wash": "#fdf3f2",
    "danger-line": "#f2d3d0",
    "warn": "#8a5a00",
    "warn-wash": "#fdf8ec",
    "warn-line": "#eeddb5",
    "ok": "#1f7a43",
    "code": "#f7f7f9",
    "tok-comment": "#65656f",
    "tok-string": "#1f7a43",
    "tok-number": "#8a5a00",
    "tok-keyword": "#7a3db8",
    "shadow": "0 1px 2px rgb(20 20 30 / 0.05), 0 8px 24px -12px rgb(20 20 30 / 0.12)",
}

DARK = {
    "page": "#17171a",
    "side": "#111113",
    "raised": "#202024",
    "muted": "#26262b",
    "hover": "#2c2c32",
    "line": "#2e2e35",
    "strong-line": "#484852",
    "text": "#ededf0",
    "soft": "#b4b4be",
    "faint": "#93939e",
    **_DARK_ACCENT,
    "danger": "#f2a29b",
    "danger-wash": "#2b1c1b",
    "danger-line": "#523230",
    "warn": "#e3bd74",
    "warn-wash": "#282217",
    "warn-line": "#4c4129",
    "ok": "#7fcf9e",
    "code": "#1f1f23",
    "tok-comment": "#93939e",
    "tok-string": "#8fd0a8",
    "tok-number": "#e3bd74",
    "tok-keyword": "#c9a6f2",
    "shadow": "0 1px 2px rgb(0 0 0 / 0.3), 0 8px 24px -12px rgb(0 0 0 / 0.6)",
}

SHAPE = {
    "scale": "100%",
    "leading": "1.65",
    "sidebar": "260px",
    "column": "44rem",
    "radius": "0.75rem",
    "radius-small": "0.5rem",
    "radius-large": "1.5rem",
    "ease": "180ms ease-out",
    "font": 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
    "mono": 'ui-monospace, "SF Mono", "Cascadia Code", Menlo, Consolas, "DejaVu Sans Mono", monospace',
}

_COMPACT = {"scale": "90%", "leading": "1.5"}
"""Tokens of the compact density: every size of the style sheets is a multiple of the scale."""

_STYLE_SHEETS = [
    "base",
    "shell",
    "threads",
    "palette",
    "composer",
    "messages",
    "markdown",
    "tools",
    "actions",
    "inbox",
    "settings",
    "admin",
    "timeline",
    "share",
    "touch",
    "print",
]


def _rule(selector: str, tokens: dict[str, str]) -> str:
    body = "".join(f"--{name}:{value};" for name, value in tokens.items())
    return f"{selector}{{{body}}}"


def token_sheet() -> str:
    """Return the tokens as CSS; the user's choice of a theme overrides the system's preference."""
    return "".join(
        (
            _rule(":root", SHAPE | LIGHT),
            ":root{color-scheme:light}",
            "@media (prefers-color-scheme: dark){" + _rule(":root:not(.light)", DARK),
            ":root:not(.light){color-scheme:dark}}",
            _rule(":root[data-density=compact]", _COMPACT),
            _rule(":root.dark", DARK),
            ":root.dark{color-scheme:dark}",
            "@media print{" + _rule(":root,:root.dark,:root:not(.light)", LIGHT | {"page": "#fff"}),
            ":root,:root.dark,:root:not(.light){color-scheme:light}}",
        )
    )


def stylesheets() -> list[str]:
    """Return the paths of the style sheets in the order in which they apply."""
    return [f"/styles/{name}.css" for name in _STYLE_SHEETS]
