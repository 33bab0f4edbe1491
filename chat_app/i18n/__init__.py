"""Translations of the pages: one JSON file per language, in i18next's format (v4).

`say("composer.send")` returns a Var for the message of a key. English is built into the pages; a browser that
prefers another language loads its file, and each message that the file contains is replaced in place.
`tell(var, info)` translates sentences of the server, which are always English: for sentences of the library
or of the app (`agent_core.sentences`), `info` has a code and its params, and each language has a message
under `sentences.` and the code; any other sentence is shown unchanged.
To add a language, call `register_language` in an extension, or add a file to this folder, with the language's name for
itself under `language.name`.
"""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reflex as rx
from reflex.vars import VarData
from reflex_base.utils.imports import ImportVar

from agent_core.errors import ValidationError
from chat_app.scripts import react_component, script, serve_file, url_of

_log = logging.getLogger(__name__)

HERE = Path(__file__).parent
_LIBRARY = script("i18n/words.js")
PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
_MAX_LOGGED = 20  # keys of texts
_registered: dict[str, Path] = {}
"""Files of registered languages, by code."""
FORM = re.compile(r"_(?:zero|one|two|few|many|other)$")
"""Suffix of a key for a plural form, in the categories of Intl.PluralRules."""


def read(language: str | Path) -> dict[str, str]:
    """Return the messages of a language by key.

    Args:
        language: the code of a language that the app offers, such as "en", or the path of a file.

    Raises:
        ValueError: the file has the format of versions before i18next's.
    """
    path = language if isinstance(language, Path) else _registered.get(language, HERE / f"{language}.json")
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


def register_language(file: str | Path) -> None:
    """Offer another language, or replace the texts of one.

    A text that the file lacks is shown in English, and the log says which ones these are.

    Args:
        file: a file in the format of `en.json`, named by the language's code, as browsers write it: fr.json, pt-BR.json.

    Raises:
        ValidationError: the file cannot be read, is not in the format, does not name its language under
            `language.name`, or has a {{name}} that the English text has not.
    """
    path = Path(file).absolute()
    try:
        messages = read(path)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise ValidationError(f"The language file {path} cannot be used: {error}") from error
    if wrong := _fault(messages):
        raise ValidationError(f"The language file {path} {wrong}")
    _registered[path.stem] = path
    LANGUAGES[path.stem] = messages["language.name"]
    FILES[path.stem] = serve_file(path, f"i18n/{path.name}")
    forms = {FORM.sub("", key) for key in messages}
    if lacking := sorted(key for key in _PLACEHOLDERS if key not in forms):
        _log.warning(
            "The language %s lacks texts, which are shown in English (%d): %s",
            path.stem,
            len(lacking),
            ", ".join(lacking[:_MAX_LOGGED]) + (", …" if len(lacking) > _MAX_LOGGED else ""),
        )


def _fault(messages: dict[str, Any]) -> str | None:
    """Return what is wrong with the messages of a language; None for usable ones."""
    if odd := [key for key, text in messages.items() if not isinstance(text, str)]:
        return f"has {odd[0]!r}, which is not a text."
    if not messages.get("language.name", "").strip():
        return "has no language.name, the language's name for itself."
    for key, text in messages.items():
        unknown = set(PLACEHOLDER.findall(text)) - _PLACEHOLDERS.get(FORM.sub("", key), set())
        if unknown and FORM.sub("", key) in _PLACEHOLDERS:
            return f"has {{{{{min(unknown)}}}}} in {key}, for which there is no value."
    return None


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
