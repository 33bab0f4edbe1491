"""Get the newest Python that pyproject.toml names: `python -m tests.tools.newest_python` prints its path.

It is on PATH, or comes from packages of Debian's testing distribution. These are unpacked into .cache-tests/ with
all that they need, libc included. That takes no root's rights, and changes nothing else on this machine.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.packaging.ranges import pythons
from tests.providers.installed import CACHE, installing, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_START = """\
#!/bin/sh
exec {loader} --argv0 "$0" --library-path {libraries} {program} "$@"
"""
"""Starts a Python with the loader and the libraries beside it. It goes by the name by which it was called, as one in
a virtual environment must."""
_CAN = "import ensurepip, sqlite3, ssl, sys; print('%d.%d' % sys.version_info[:2])"


def newest_python() -> str:
    """Return the path of the newest Python that pyproject.toml names; without it the test is skipped, and fails in CI."""
    version = pythons()[-1]
    name = f"python{version}"
    if (path := shutil.which(name)) is not None and _says([path, "-c", _CAN]) == version:
        return path
    home = CACHE / name
    path = str(home / "usr" / "bin" / name)
    with installing(home) as is_new:
        if is_new:
            _unpack(f"{name}-venv", home)
            _set_up(home / "usr", name)
            if (said := _says([path, "-c", _CAN])) != version:
                raise OSError(f"It does not run here: {said}")
    return path


def _says(command: list[str]) -> str:
    """Return what a command prints, errors included."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _unpack(package: str, home: Path) -> None:
    """Unpack a package of Debian's testing distribution, and all that it needs, into a folder."""
    apt = home / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (apt / folder).mkdir(parents=True)
    (apt / "status").touch()  # nothing is installed
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_mirror()} testing main\n")
    options = {
        **{"Dir::State": apt, "Dir::State::status": apt / "status", "Dir::Cache": apt / "cache"},
        **{"Dir::Etc::SourceList": apt / "sources.list", "Dir::Etc::SourceParts": "/dev/null"},
        **{
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root",
        },  # apt's own user may not see the folder
    }
    command = ["apt-get", "-qq", *(f"--option={name}={value}" for name, value in options.items())]
    run([*command, "update"])
    run([*command, "install", "--download-only", "--no-install-recommends", package])
    for archive in (apt / "cache" / "archives").glob("*.deb"):
        run(["dpkg-deb", "--extract", str(archive), str(home)])
    shutil.rmtree(apt)


def _mirror() -> str:
    """Return the address of the mirror from which this machine has its packages of Debian.

    Raises:
        OSError: it has none.
    """
    if KEYRING.exists():
        listed = _says(["apt-get", "update", "--print-uris"])
        codename = re.search(r"^VERSION_CODENAME=(\w+)$", Path("/etc/os-release").read_text("utf-8"), re.M)
        if codename and (found := re.search(rf"'(\S+)/dists/{codename[1]}/InRelease'", listed)):
            return found[1]
    raise OSError("It is not on PATH, and this machine has no mirror of Debian.")


def _set_up(folder: Path, name: str) -> None:
    """Tell an unpacked Python where it is."""
    script = folder / "bin" / name
    program = script.rename(folder / "bin" / "program")
    (loader,) = folder.glob("lib*/ld-linux*.so.?")
    (libc,) = folder.glob("lib/*/libc.so.6")
    paths = {"loader": loader, "libraries": libc.parent, "program": program}
    script.write_text(_START.format(**{key: shlex.quote(str(path)) for key, path in paths.items()}))
    script.chmod(0o755)
    (settings,) = folder.glob("lib/python3*/_sysconfigdata__linux_*.py")
    wheels = repr(str(folder / "share" / "python-wheels"))  # of pip, which ensurepip installs
    text = settings.read_text("utf-8")
    settings.write_text(re.sub(r"(?<='WHEEL_PKG_DIR': )'.*'", lambda _: wheels, text))


if __name__ == "__main__":
    print(newest_python())
