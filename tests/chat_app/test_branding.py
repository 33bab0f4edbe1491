"""Name, logo and accent: only what cannot break a page is accepted, and every accent is legible."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_core.errors import ValidationError
from chat_app.branding import ACCENT, DARK_GROUND, GROUND, MAX_LOGO, Branding, contrast, read_branding
from chat_app.ui.styles import DARK, LIGHT

ACCENTS = ["#0a7a4b", "#ffff00", "#000000", "#ffffff", "#e11d48", "#808080", "#00ffff"]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("accent", ACCENTS)
def test_every_accent_becomes_legible_on_light_and_dark_pages(accent: str) -> None:
    for tokens, ground in zip(Branding(accent=accent).tokens(), (GROUND, DARK_GROUND), strict=True):
        assert contrast(tokens["accent"], ground) >= 4.5
        assert contrast(tokens["on-accent"], tokens["accent"]) >= 4.5
        assert contrast(tokens["on-accent"], tokens["accent-hover"]) >= 4.5


def test_accent_that_is_legible_stays_and_contrast_is_that_of_the_standard() -> None:
    assert Branding(accent="#0a7a4b").tokens()[0]["accent"] == "#0a7a4b"
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_backgrounds_are_those_of_the_pages() -> None:
    assert (LIGHT["muted"], DARK["muted"]) == (GROUND, DARK_GROUND)
    assert LIGHT["accent"] == ACCENT["accent"]


def test_settings_are_read(tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(PNG)
    values = {"CHAT_NAME": "Frag’ die Käserei", "CHAT_ACCENT": "#0A7A4B", "CHAT_LOGO": str(logo)}
    assert read_branding(values) == Branding("Frag’ die Käserei", "#0a7a4b", logo)
    assert read_branding({}) == Branding()


@pytest.mark.parametrize(
    "name", ["x" * 41, "<b>", "a &amp; b", "a&copy b", 'say "hi"', "it's", "`x`", "${x}", "a\\b", "a\nb"]
)
def test_name_that_could_break_a_page_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="CHAT_NAME"):
        read_branding({"CHAT_NAME": name})


def test_name_may_have_an_ampersand() -> None:
    assert read_branding({"CHAT_NAME": "Müller & Söhne, AT&T"}).name == "Müller & Söhne, AT&T"


@pytest.mark.parametrize(
    "accent", ["blue", "#fff", "#12345", "#1234567", "rgb(0 0 0)", "#00000g", "#3f5bd8;}"]
)
def test_accent_that_is_no_colour_is_refused(accent: str) -> None:
    with pytest.raises(ValidationError, match="CHAT_ACCENT"):
        read_branding({"CHAT_ACCENT": accent})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("missing.svg", None),
        ("logo.gif", b"GIF89a"),
        ("logo.png", b"<svg"),
        ("logo.svg", PNG),
        ("empty.svg", b""),
        ("large.svg", b"<" * (MAX_LOGO + 1)),
    ],
)
def test_logo_that_is_none_is_refused(tmp_path: Path, name: str, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ValidationError, match="CHAT_LOGO"):
        read_branding({"CHAT_LOGO": str(tmp_path / name)})
