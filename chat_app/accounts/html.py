"""Pages of the sign-in: small HTML documents in the app's look, which need no script and no built page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse

from chat_app.accounts.gate import pages_origin
from chat_app.i18n import ENGLISH, LANGUAGES, read
from chat_app.server.pages import logo_name
from chat_app.server.settings import load_settings
from chat_app.ui.styles import NAME, token_sheet

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_SHEETS = ("base", "settings", "touch")
_OWN_SHEET = """
body { display: grid; height: auto; min-height: 100%; align-content: safe center; justify-items: center; padding: 1.5rem 1rem;}
main { display: grid; gap: 1.5rem; width: 100%; max-width: 24rem; }
header { display: flex; align-items: center; gap: 0.5rem; font-weight: 600; }
h1, h2 { margin: 0; font-size: 1.25rem; line-height: 1.3; } h2 { font-size: 1rem; }
p { margin: 0; } section, form { display: grid; gap: 0.875rem; } section + section { padding-top: 1.5rem; border-top: 1px solid var(--line); }
.button { min-height: 2.5rem; } .field input, .field select { min-height: 2.5rem; font-size: 1rem; }
.note { color: var(--soft); font-size: 0.875rem; } .done { padding: 0.75rem; border-radius: var(--radius-small); background: var(--muted); overflow-wrap: anywhere; }
.alert { padding: 0.75rem; border: 1px solid var(--danger-line); border-radius: var(--radius-small); background: var(--danger-wash); color: var(--danger); }
ul { margin: 0; padding: 0; list-style: none; display: grid; gap: 0.375rem; } li { display: flex; justify-content: space-between; gap: 1rem; }
"""


class Words:
    """The messages of a language; those that it lacks are English.

    Args:
        language: code of the language.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._messages = ENGLISH | read(language)

    def __call__(self, key: str, **values: object) -> str:
        """Return a message, escaped for HTML, with its values."""
        text = self._messages[key]
        for name, value in values.items():
            text = text.replace(f"{{{{{name}}}}}", str(value))
        return escape(text)


class Field(NamedTuple):
    """An input of a form, with a label above it.

    Attributes:
        autocomplete: says to the browser and to password managers what it is.
    """

    name: str
    label: str
    kind: str = "password"
    autocomplete: str = "new-password"
    value: str = ""


def words_for(request: Request) -> Words:
    """Return the words of the first language of the browser for which there is a file."""
    asked: list[tuple[float, str]] = []
    for part in request.headers.get("accept-language", "")[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            asked.append((-float(weight or 1), tag.partition("-")[0].lower()))
        except ValueError:
            continue
    found = (code for _, code in sorted(asked, key=lambda pair: pair[0]) if code in LANGUAGES)
    return Words(next(found, "en"))


def page(request: Request, words: Words, title: str, *body: str, status: int = 200) -> HTMLResponse:
    """Return a document with a heading; the parts of its body are HTML already."""
    pages = pages_origin(request.headers.get("host", ""))
    base = escape(pages + request.scope.get("root_path", ""))
    sheets = "".join(f'<link rel="stylesheet" href="{base}/styles/{name}.css">' for name in _SHEETS)
    icon = f"{base}/{logo_name(load_settings().branding)}"
    text = (
        f'<!DOCTYPE html><html lang="{words.language}"><head><meta charset="utf-8"><title>{title} · {NAME}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'
        f'<link rel="icon" href="{icon}">{sheets}'
        f"<style>{token_sheet()}{_OWN_SHEET}</style></head><body><main>"
        f'<header><img src="{icon}" alt="" width="24" height="24">{NAME}</header>'
        f"<h1>{title}</h1>{''.join(body)}</main></body></html>"
    )
    policy = _POLICY.replace("'self'", f"'self' {pages}") if pages else _POLICY
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-store"}
    return HTMLResponse(text, status, headers)


def form(action: str, fields: Sequence[Field], button: str, *more: str, primary: bool = True) -> str:
    """Return a form; its first empty field has the focus if the form is the page's main one."""
    first = next((field for field in fields if not field.value), None) if primary else None
    inputs = "".join(_input(field, field is first) for field in fields)
    kind = "button primary" if primary else "button"
    return (
        f'<form method="post" action="{escape(action)}">{inputs}{"".join(more)}'
        f'<button class="{kind}" type="submit">{button}</button></form>'
    )


def section(heading: str, *parts: str) -> str:
    """Return a section with a heading; its parts are HTML already."""
    return f"<section><h2>{heading}</h2>{''.join(parts)}</section>"


def hidden(name: str, value: str) -> str:
    """Return a value that a form sends along."""
    return f'<input type="hidden" name="{name}" value="{escape(value)}">'


def alert(text: str) -> str:
    """Return a message about what was sent; "" for none. The text is HTML already."""
    return f'<p class="alert" role="alert">{text}</p>' if text else ""


def _input(field: Field, focused: bool) -> str:
    plain = ' autocapitalize="none" spellcheck="false"' if field.kind == "text" else ""
    return (
        f'<label class="field">{field.label}<input name="{field.name}" type="{field.kind}" required '
        f'autocomplete="{field.autocomplete}" value="{escape(field.value)}"{plain}{" autofocus" if focused else ""}></label>'
    )
