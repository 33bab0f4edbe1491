"""What the pages say, in each language: one JSON file a language, in i18next's format (v4).

`say("composer.send")` is a Var for the message of a key. English is built into the pages; in a browser that asks
for another language its file is read, and every message that the file has changes in place.
`tell(var, info)` is for sentences that come from the server, which knows no languages: `info` has the code and
the params of those that are the library's or the app's own (`agent_core.sentences`), and under `told.` and the
code each language has its message for it; any other is shown as it is.
A new language is one more file beside these, with its own name under `language.name`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reflex as rx
from reflex.vars import VarData
from reflex_base.utils.imports import ImportVar

from chat_app.scripts import react_component, script

HERE = Path(__file__).parent
_LIBRARY = script("i18n/words.js")
HOLE = re.compile(r"\{\{(\w+)\}\}")
FORM = re.compile(r"_(?:zero|one|two|few|many|other)$")
"""The end of a key that names a form by number, as Intl.PluralRules does."""


def read(language: str) -> dict[str, str]:
    """Return the messages of a language, such as "en", by key.

    Raises:
        ValueError: the file has the format that files had before i18next's.
    """
    path = HERE / f"{language}.json"
    messages = json.loads(path.read_text(encoding="utf-8"))
    if any("." in name for name in messages):
        raise ValueError(
            f"{path} has the format of an older version. Nest its keys at each dot, write {{{{name}}}} for {{name}}, "
            "and key_one and key_other for the forms of a number, as in en.json beside it."
        )
    return dict(_flat(messages))


def _flat(messages: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, text in messages.items():
        if isinstance(text, dict):
            yield from _flat(text, f"{path}{name}.")
        else:
            yield f"{path}{name}", text


ENGLISH = read("en")
_HOLES: dict[str, set[str]] = {}
for _key, _text in ENGLISH.items():
    _HOLES.setdefault(FORM.sub("", _key), set()).update(HOLE.findall(_text))
LANGUAGES = {path.stem: read(path.stem)["language.name"] for path in sorted(HERE.glob("*.json"))}
"""The languages there are: code -> its own name for itself."""
FILES = {code: str(rx.asset(f"{code}.json", shared=True)) for code in LANGUAGES}
"""Where a browser reads the messages of a language."""


def say(key: str, **values: Any) -> rx.Var[str]:
    """Return the message of `key`, in the person's language.

    Args:
        key: of `en.json`, such as "composer.send".
        values: of the message's {{names}}; Vars or plain values. Numbers are
            written as the language writes them, and `count` chooses among forms.

    Raises:
        KeyError: there is no such message.
        ValueError: the values are not those that the message asks for.
    """
    if _HOLES[key] != set(values):
        raise ValueError(
            f"The message {key!r} asks for {sorted(_HOLES[key])}, but was given {sorted(values)}."
        )
    given = rx.Var.create(values)
    data = VarData.merge(_hook("useWords", "sayWords"), given._get_all_var_data())
    return rx.Var(f"sayWords({json.dumps(key)}, {given!s})", _var_data=data).to(str)


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


speak = react_component("i18n/words.js", "Speak", files=dict[str, str])
"""Brings the texts of the person's language; part of every page, and shows nothing."""
