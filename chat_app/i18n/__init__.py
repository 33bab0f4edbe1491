"""What the pages say, in each language: one JSON file a language, and English is the one that is built in.

`say("composer.send")` is a Var for the words of a key. The pages are built with the English ones in
them; in a browser that asks for another language its file is read, and every word changes in place.
`tell(var, info)` is for sentences that come from the server, which knows no languages: `info` has the code and
the params of those that are the library's or the app's own (`agent_core.sentences`), and under `told.` and the
code each language has its words for it; any other is shown as it is.
A new language is one more file beside these, with its own name under `language.name`.
"""

import json
import re
from pathlib import Path
from typing import Any

import reflex as rx
from reflex.vars import VarData
from reflex_base.utils.imports import ImportVar

from chat_app.scripts import script

HERE = Path(__file__).parent
_LIBRARY = script("i18n/words.js")
HOLE = re.compile(r"\{(\w+)\}")

Text = str | dict[str, str]
"""Words, or their forms by number: one, other, and what else Intl.PluralRules names for the language."""


def read(language: str) -> dict[str, Text]:
    """Return the words of a language, such as "en", by key."""
    return json.loads((HERE / f"{language}.json").read_text(encoding="utf-8"))


def forms(text: Text) -> list[str]:
    """Return a text in all its forms."""
    return [text] if isinstance(text, str) else list(text.values())


ENGLISH = read("en")
LANGUAGES = {path.stem: str(read(path.stem)["language.name"]) for path in sorted(HERE.glob("*.json"))}
"""The languages there are: code -> its own name for itself."""
FILES = {code: str(rx.asset(f"{code}.json", shared=True)) for code in LANGUAGES}
"""Where a browser reads the words of a language."""


def say(key: str, **values: Any) -> rx.Var[str]:
    """Return the words of `key`, in the person's language.

    Args:
        key: of `en.json`, such as "composer.send".
        values: what stands in the places of the text's {names}; Vars or plain values. Numbers are
            written as the language writes them, and `count` chooses among forms.

    Raises:
        KeyError: there are no such words.
        ValueError: the values are not those that the words ask for.
    """
    english = ENGLISH[key]
    if {hole for form in forms(english) for hole in HOLE.findall(form)} != set(values):
        raise ValueError(f"The words of {key!r} are {english!r}, but were given {sorted(values)}.")
    given = rx.Var.create(values)
    data = VarData.merge(_hook("useWords", "sayWords"), given._get_all_var_data())
    return rx.Var(f"sayWords({json.dumps(key)}, {json.dumps(english)}, {given!s})", _var_data=data).to(str)


def tell(sentence: rx.Var[str], info: rx.Var[dict[str, Any]]) -> rx.Var[str]:
    """Return what the server says, in the person's language.

    Args:
        sentence: the text, which is English.
        info: its code and its params, as `agent_core.sentences.info_of` gives them; {} for a text that has none.
    """
    hook = _hook("useTell", "tellWords")
    data = VarData.merge(hook, sentence._get_all_var_data(), info._get_all_var_data())
    return rx.Var(f"tellWords({sentence!s}, {info!s})", _var_data=data).to(str)


def _hook(hook: str, name: str) -> VarData:
    return VarData(
        imports={_LIBRARY: [ImportVar(tag=hook)]},
        hooks={f"const {name} = {hook}();": None},
    )


class Speak(rx.Component):
    """Brings the words of the person's language; part of every page, and shows nothing."""

    library = _LIBRARY
    tag = "Speak"
    files: rx.Var[dict[str, str]]


speak = Speak.create
