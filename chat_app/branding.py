"""Name, logo and accent colour of the app, which the built pages have as placeholders.

A build does not depend on them: `chat_app.server.pages` replaces the placeholders. The accent is made lighter or
darker until text in it is legible, on a light and on a dark page (WCAG 2.2, success criterion 1.4.3).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_core.errors import ValidationError

NAME = "Durable Agents"
ANY_NAME, ANY_LOGO = "__app_name__", "__app_logo__"
_MAX_NAME = 40  # characters
_IN_CODE = re.compile(r"""[<>"'`\\$\x00-\x1f\x7f\u2028\u2029]""")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
MAX_LOGO = 256 << 10  # bytes
_KINDS = {".svg": b"<", ".png": b"\x89PNG"}
"""Suffixes of logos, and how such files begin."""

ACCENT = {"accent": "#3f5bd8", "accent-hover": "#3349b8", "on-accent": "#ffffff"}
DARK_ACCENT = {"accent": "#8ea2ff", "accent-hover": "#a8b8ff", "on-accent": "#10121c"}
GROUND, DARK_GROUND = "#f3f3f5", "#26262b"
"""The darkest background of a light page on which there is text, and the lightest one of a dark page."""

_LEGIBLE = 4.5
_STEPS = 100

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Branding:
    """Checked settings of what the app is called and looks like.

    Attributes:
        name: shown above the list of threads and in the title of the browser's tab.
        accent: the colour of buttons and links, as #rrggbb; None: the app's own.
        logo: an SVG or PNG file; None: the app's own.
    """

    name: str = NAME
    accent: str | None = None
    logo: Path | None = None

    def tokens(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the tokens of the accent for light and for dark pages; see `chat_app.ui.styles`."""
        if self.accent is None:
            return ACCENT, DARK_ACCENT
        return _tokens(self.accent, GROUND, (0, 0, 0)), _tokens(self.accent, DARK_GROUND, (255, 255, 255))


def read_branding(values: Mapping[str, str]) -> Branding:
    """Read the settings from the variables that have a value.

    Raises:
        ValidationError: a value is invalid.
    """
    return Branding(
        _name(values.get("CHAT_NAME", NAME)),
        _accent(values.get("CHAT_ACCENT")),
        _logo(values.get("CHAT_LOGO")),
    )


def any_tokens(scheme: str) -> dict[str, str]:
    """Return placeholders for the tokens of the accent."""
    return {name: f"__{scheme}_{name}__" for name in ACCENT}


def replacements(branding: Branding) -> dict[str, str]:
    """Return the value of each placeholder but the logo's."""
    light, dark = branding.tokens()
    found = {ANY_NAME: branding.name}
    for scheme, tokens in (("light", light), ("dark", dark)):
        found |= {place: tokens[name] for name, place in any_tokens(scheme).items()}
    return found


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((_luminance(_parse(one)), _luminance(_parse(other))))
    return (high + 0.05) / (low + 0.05)


def _tokens(accent: str, ground: str, towards: Colour) -> dict[str, str]:
    legible = _until(accent, towards, lambda colour: contrast(colour, ground) >= _LEGIBLE)
    hover = _mix(legible, towards, 0.15)
    on = max(("#ffffff", "#10121c"), key=lambda text: min(contrast(text, legible), contrast(text, hover)))
    return {"accent": legible, "accent-hover": hover, "on-accent": on}


def _until(colour: str, towards: Colour, is_good: Callable[[str], bool]) -> str:
    """Return the nearest mix of a colour and black or white that is good; black and white are."""
    mixes = (_mix(colour, towards, step / _STEPS) for step in range(_STEPS + 1))
    return next(mix for mix in mixes if is_good(mix))


def _mix(colour: str, other: Colour, share: float) -> str:
    mixed = (round(own + (its - own) * share) for own, its in zip(_parse(colour), other, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _parse(colour: str) -> Colour:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: Colour) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _name(value: str) -> str:
    # It is put into scripts and HTML alike, so `&` must not begin a character reference.
    if len(value) > _MAX_NAME or _IN_CODE.search(value) or html.unescape(value) != value:
        raise ValidationError(
            f"CHAT_NAME is {value[:80]!r}; it must have at most {_MAX_NAME} characters, none of "
            "< > \" ' ` \\ $ (’ is fine), and no character reference such as &amp;."
        )
    return value


def _accent(value: str | None) -> str | None:
    if value is not None and not _COLOUR.fullmatch(value.lower()):
        raise ValidationError(f"CHAT_ACCENT is {value[:80]!r}; it must be a colour such as #3f5bd8.")
    return value.lower() if value else None


def _logo(value: str | None) -> Path | None:
    if value is None:
        return None
    path = Path(value).expanduser().absolute()
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_LOGO else b""
    except OSError as error:
        raise ValidationError(
            f"CHAT_LOGO is {value!r}, which cannot be read: {error.strerror or error}."
        ) from error
    begins = _KINDS.get(path.suffix.lower())
    if begins is None or not data.lstrip().startswith(begins):
        raise ValidationError(
            f"CHAT_LOGO is {value!r}; it must be an .svg or .png file of at most {MAX_LOGO >> 10} KB."
        )
    return path
