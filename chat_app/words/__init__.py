"""What the pages say, in each language: one JSON file a language, and English is the one that is built in.

`say("composer.send")` is a Var for the words of a key. The pages are built with the English ones in
them; in a browser that asked for another language its file is read, and every word changes in place.
A new language is one more file beside these, with its own name under `language.name`.
"""

import json
import re
from pathlib import Path
from typing import Any

import reflex as rx
from reflex.vars import VarData
from reflex_base.utils.imports import ImportVar

HERE = Path(__file__).parent
LIBRARY = rx.asset("words.js", shared=True).importable_path
HOLE = re.compile(r"\{(\w+)\}")


def read(language: str) -> dict[str, str]:
    """Return the words of a language, such as "en", by key."""
    return json.loads((HERE / f"{language}.json").read_text(encoding="utf-8"))


ENGLISH = read("en")
LANGUAGES = {path.stem: read(path.stem)["language.name"] for path in sorted(HERE.glob("*.json"))}
"""The languages there are: code -> its own name for itself."""
FILES = {code: str(rx.asset(f"{code}.json", shared=True)) for code in LANGUAGES if code != "en"}
"""Where a browser reads the words of a language."""


def say(key: str, **values: Any) -> rx.Var[str]:
    """Return the words of `key`, in the language that the person chose.

    Args:
        key: of `en.json`, such as "composer.send".
        values: what stands in the places of the text's {names}; Vars or plain values.

    Raises:
        KeyError: there are no such words.
        ValueError: the values are not those that the words ask for.
    """
    english = ENGLISH[key]
    if set(HOLE.findall(english)) != set(values):
        raise ValueError(f"The words of {key!r} are {english!r}, but were given {sorted(values)}.")
    given = rx.Var.create(values)
    found = VarData(
        imports={LIBRARY: [ImportVar(tag="useWords")]}, hooks={"const sayWords = useWords();": None}
    )
    data = VarData.merge(found, given._get_all_var_data())
    return rx.Var(f"sayWords({json.dumps(key)}, {json.dumps(english)}, {given!s})", _var_data=data).to(str)


class Speak(rx.Component):
    """Brings the words of the chosen language; part of every page, and shows nothing."""

    library = LIBRARY
    tag = "Speak"
    files: rx.Var[dict[str, str]]


speak = Speak.create
