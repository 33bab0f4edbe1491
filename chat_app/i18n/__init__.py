"""Translations of the pages: one JSON file per language, in i18next's format (v4).

`say("composer.send")` returns a Var for the message of a key. English is built into the pages; a browser that
prefers another language loads its file, and each message that the file contains is replaced in place.
`tell(var, info)` translates sentences of the server, which are always English: for sentences of the library
or of the app (`agent_core.sentences`), `info` has a code and its params, and each language has a message
under `sentences.` and the code; any other sentence is shown unchanged.
To add a language, add a file to this folder, with the language's name for itself under `language.name`.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reflex as rx
from reflex.vars import VarData
from reflex_base.utils.imports import ImportVar

from chat_app.scripts import react_component, script, url_of

HERE = Path(__file__).parent
_LIBRARY = script("i18n/words.js")
PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
FORM = re.compile(r"_(?:zero|one|two|few|many|other)$")
"""Suffix of a key for a plural form, in the categories of Intl.PluralRules."""


def read(language: str) -> dict[str, str]:
    """Return the messages of a language, such as "en", by key.

    Raises:
        ValueError: the file has the format of versions before i18next's.
    """
    path = HERE / f"{language}.json"
    messages = json.loads(path.read_text(encoding="utf-8"))
    if any("." in name for name in messages):
        raise ValueError(
            f"{path} has the format of an older version. Nest its keys at each dot, write {{{{name}}}} for {{name}}, "
            "and key_one and key_other for the forms of a number, as in en.json beside it."
        )
    if "told" in messages:
        raise ValueError(f'{path} has the format of an older version. Rename "told" to "sentences".')
    return dict(_flat(messages))


def _flat(messages: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, text in messages.items():
        if isinstance(text, dict):
            yield from _flat(text, f"{path}{name}.")
        else:
            yield f"{path}{name}", text


ENGLISH = read("en")
_PLACEHOLDERS: dict[str, set[str]] = {}
for _key, _text in ENGLISH.items():
    _PLACEHOLDERS.setdefault(FORM.sub("", _key), set()).update(PLACEHOLDER.findall(_text))
LANGUAGES = {path.stem: read(path.stem)["language.name"] for path in sorted(HERE.glob("*.json"))}
"""Names of the available languages in the languages themselves, by code."""
FILES = {code: url_of(f"i18n/{code}.json") for code in LANGUAGES}
"""URLs of the languages' messages, by code."""


def say(key: str, **values: Any) -> rx.Var[str]:
    """Return a Var for the message of `key` in the user's language.

    Args:
        key: a key of `en.json`, such as "composer.send".
        values: the values of the message's {{names}}, as Vars or plain values. Numbers are formatted for the
            language, and `count` selects the plural form.

    Raises:
        KeyError: there is no such message.
        ValueError: the names of the values differ from those in the message.
    """
    if _PLACEHOLDERS[key] != set(values):
        raise ValueError(
            f"The message {key!r} asks for {sorted(_PLACEHOLDERS[key])}, but was given {sorted(values)}."
        )
    given = rx.Var.create(values)
    data = VarData.merge(_hook("useWords", "sayWords"), given._get_all_var_data())
    return rx.Var(f"sayWords({json.dumps(key)}, {given!s})", _var_data=data).to(str)


def tell(sentence: rx.Var[str], info: rx.Var[dict[str, Any]]) -> rx.Var[str]:
    """Return a Var for a sentence of the server in the user's language.

    Args:
        sentence: the English text.
        info: its code and params, as `agent_core.sentences.info_of` returns them; {} for a text without.
    """
    hook = _hook("useTell", "tellWords")
    data = VarData.merge(hook, sentence._get_all_var_data(), info._get_all_var_data())
    return rx.Var(f"tellWords({sentence!s}, {info!s})", _var_data=data).to(str)


def _hook(hook: str, name: str) -> VarData:
    return VarData(
        imports={_LIBRARY: [ImportVar(tag=hook)]},
        hooks={f"const {name} = {hook}();": None},
    )


language_loader = react_component("i18n/words.js", "LanguageLoader", files=dict[str, str])
"""Load the messages of the user's language; the component is part of every page and invisible."""
