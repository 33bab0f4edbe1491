"""Scripts and languages of the app, served under their paths on disk, and Python wrappers of React components.

`rx.asset` serves a file under the name of the calling module: imports among scripts would name paths that do
not exist on disk, and a script that two modules use would run twice in a page, each time with its own state.
This module therefore links all of them at once, into a tree that mirrors this folder. It also saves half a second at
every start: `rx.asset` looks for the calling module among all that are imported.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import reflex as rx
from reflex import constants
from reflex.environment import environment

_APP = Path(__file__).parent
_SERVED = f"{constants.Dirs.EXTERNAL_APP_ASSETS}/{_APP.name}"
"""Folder of the links inside the assets; `rx.asset` also uses it for the files of packages."""


def script(path: str) -> str:
    """Return the name under which pages import a script: the `library` of its Python wrapper.

    Args:
        path: the path of the script in this folder, such as "composer/composer.jsx".

    Raises:
        FileNotFoundError: there is no such script.
    """
    if not (_APP / path).is_file():
        raise FileNotFoundError(f"There is no script {path!r} in {_APP}.")
    return f"$/public/{_SERVED}/{path}"


def url_of(path: str) -> str:
    """Return the URL of a file of this folder, with a hash of its content if it can be read.

    Args:
        path: the path of a script or a language in this folder, such as "i18n/de.json".

    Raises:
        FileNotFoundError: there is no such file.
    """
    return str(rx.asset(f"{_SERVED}/{path}"))


def serve_file(source: Path, path: str) -> str:
    """Serve a file from anywhere below the app's own, and return its URL.

    Args:
        source: absolute path of the file.
        path: path below this folder at which it is served, such as "i18n/fr.json".
    """
    if not environment.REFLEX_BACKEND_ONLY.get():
        _link(source, Path.cwd() / constants.Dirs.APP_ASSETS / _SERVED / path)
    return url_of(path)


def react_component(
    path: str, tag: str, /, *, dependencies: Sequence[str] = (), **props: Any
) -> Callable[..., rx.Component]:
    """Return a function that creates a React component of a script from its props.

    Args:
        path: the path of the script, as `script` takes it.
        tag: the name under which the script exports the component.
        dependencies: npm packages of the script with their versions, such as "remend@1.4.0".
        props: the type of each prop; for an event handler (`on_…`), a tuple of the types of its arguments.

    Raises:
        FileNotFoundError: there is no such script.
    """
    annotations = {
        name: rx.EventHandler[_event_spec(kind)] if name.startswith("on_") else rx.Var[kind]
        for name, kind in props.items()
    }
    body = {"__module__": __name__, "__annotations__": annotations, "library": script(path), "tag": tag}
    return type(tag, (rx.Component,), body | {"lib_dependencies": list(dependencies)}).create


def _event_spec(arguments: tuple[Any, ...]) -> Any:
    """Return the Reflex event spec of an event whose arguments have the given types."""
    return rx.event.passthrough_event_spec(*arguments) if arguments else rx.event.no_args_event_spec


def _link_scripts(assets: Path) -> None:
    """Link every script and language of the app into the folder `assets`, from which Reflex serves files."""
    for source in (*_APP.rglob("*.js"), *_APP.rglob("*.jsx"), *_APP.glob("i18n/*.json")):
        _link(source, assets / _SERVED / source.relative_to(_APP))


def _link(source: Path, link: Path) -> None:
    if link.is_symlink() and link.readlink() == source:
        return  # keep the link, so that file watchers see no change
    link.parent.mkdir(parents=True, exist_ok=True)
    staged = link.with_name(f".{uuid.uuid4().hex}")  # atomic, as other processes do the same
    staged.symlink_to(source)
    staged.replace(link)


if not environment.REFLEX_BACKEND_ONLY.get():
    _link_scripts(Path.cwd() / constants.Dirs.APP_ASSETS)
