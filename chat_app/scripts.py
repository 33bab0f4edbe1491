"""Serves the app's scripts, each below the path that it has on disk.

`rx.asset` serves a file below the name of the module that asks for it: imports among scripts would name paths
that are not on disk, and a script that two modules ask for would run twice in one page, each time with a state of
its own. Here all scripts are linked at once, into a tree that mirrors this folder.
"""

import uuid
from pathlib import Path

from reflex import constants
from reflex.environment import environment

HERE = Path(__file__).parent
_SERVED = f"{constants.Dirs.EXTERNAL_APP_ASSETS}/{HERE.name}"
"""Folder of the links among the assets, which `rx.asset` uses for files of packages, too."""


def script(path: str) -> str:
    """Return the name by which pages import a script: the `library` of its Python wrapper.

    Args:
        path: of the script in this folder, such as "composer/composer.jsx".

    Raises:
        FileNotFoundError: there is no such script.
    """
    if not (HERE / path).is_file():
        raise FileNotFoundError(f"There is no script {path!r} in {HERE}.")
    return f"$/public/{_SERVED}/{path}"


def _link_scripts(assets: Path) -> None:
    """Link every script of the app from the folder `assets`, where Reflex takes the pages' files from."""
    for source in (*HERE.rglob("*.js"), *HERE.rglob("*.jsx")):
        link = assets / _SERVED / source.relative_to(HERE)
        if link.is_symlink() and link.readlink() == source:
            continue  # whoever watches the files sees no change
        link.parent.mkdir(parents=True, exist_ok=True)
        staged = link.with_name(f".{uuid.uuid4().hex}")  # replaced at once: other processes do the same
        staged.symlink_to(source)
        staged.replace(link)


if not environment.REFLEX_BACKEND_ONLY.get():
    _link_scripts(Path.cwd() / constants.Dirs.APP_ASSETS)
