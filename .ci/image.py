"""Try the image without a container engine: run the Dockerfile's steps in a bare Debian, then the app in it.

    sudo python .ci/image.py FOLDER

It needs root, Linux, debootstrap and the network, takes minutes, and leaves the system in FOLDER. Each step runs in
it with chroot. The app then runs as the image's user, on a file system that is read-only but for /data and /tmp, with a
database in /data; whatever else it writes is an error.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "container" / "Dockerfile"
KNOWN = {
    "ARG",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "RUN",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
}
NETWORK = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/ssl/certs",
    "/root/.npmrc",
    "/etc/apt/apt.conf.d",
)
PORT = "3999"


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, with lines that go on joined."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.M)).splitlines()
    found = [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines if line.strip()]
    if unknown := {name for name, _ in found} - KNOWN:
        raise SystemExit(f"The Dockerfile has instructions that this script does not know: {unknown}")
    return found


class Image:
    """The bare system, and what the instructions have set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workdir, self.user = "/", "0:0"
        self.environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
        }
        self.entrypoint: list[str] = []

    def apply(self, name: str, value: str) -> None:
        """Do what an instruction says."""
        print(f"== {name} {value}", flush=True)
        if name == "RUN":
            self.run(["sh", "-c", value])
        elif name == "COPY":
            self.copy(value)
        elif name == "WORKDIR":
            self.workdir = value
            (self.folder / value.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "ENV":
            self.environment |= dict(pair.split("=", 1) for pair in shlex.split(value))
        elif name == "USER":
            self.user = value
        elif name == "ENTRYPOINT":
            self.entrypoint = json.loads(value)

    def copy(self, value: str) -> None:
        """Copy from the sources; a copy from the stage before is there already, as both share one system."""
        *sources, target = shlex.split(value)
        if sources[0].startswith("--from="):
            assert sources[1] == target, "a copy between the stages must keep its path"
            return
        place = self.folder / self.workdir.lstrip("/") / target
        for source in sources:
            if (ROOT / source).is_dir():
                ignore = shutil.ignore_patterns("__pycache__", "external")
                shutil.copytree(ROOT / source, place, dirs_exist_ok=True, ignore=ignore)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, place)

    def run(self, command: list[str]) -> None:
        """Run a command in the system, as root; bun needs /proc."""
        mounts = f"mount -t proc proc {self.folder}/proc && mount --bind /dev {self.folder}/dev"
        inside = f"""{mounts} && exec chroot {self.folder} sh -c 'cd {self.workdir} && exec "$@"' - "$@\""""
        subprocess.run(
            ["unshare", "--mount", "sh", "-c", inside, "-", *command],
            env=self.environment | network_variables(),
            check=True,
        )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the entry point as the image's user, where only /data and /tmp can be written to."""
        mounts = (
            f"mount --bind {self.folder} {self.folder} && mount -o remount,ro,bind {self.folder} && "
            f"mount --bind {self.folder}/data {self.folder}/data && mount -o remount,rw,bind {self.folder}/data && "
            f"mount -t tmpfs tmpfs {self.folder}/tmp && mount -t proc proc {self.folder}/proc && "
            f"mount --bind /dev {self.folder}/dev && "
            f'exec chroot --userspec={self.user} {self.folder} sh -c \'cd {self.workdir} && exec "$@"\' - "$@"'
        )
        command = ["unshare", "--mount", "sh", "-c", mounts, "-", *self.entrypoint, *arguments]
        settings = {"CHAT_PORT": PORT, "CHAT_OPEN": "1", "CHAT_MODEL": "demo"}
        return subprocess.Popen(command, env=self.environment | settings)


def network_variables() -> dict[str, str]:
    """Return the builder's variables for the network, which a container engine would pass on, too."""
    return {
        name: value
        for name, value in os.environ.items()
        if re.search(r"proxy$|^PIP_|CERT|CA_BUNDLE", name, re.I)
    }


def bare_system(folder: Path) -> None:
    """Make a bare Debian, with the builder's way into the network."""
    suite = re.search(r"^FROM debian:(\w+)-slim", DOCKERFILE.read_text(), re.M)
    assert suite is not None
    if not (folder / "usr").exists():
        subprocess.run(["debootstrap", "--variant=minbase", suite[1], folder], check=True)
    for name in (*NETWORK, *network_variables().values()):
        if (source := Path(name)).is_absolute() and source.exists():
            target = folder / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-rLT", "--remove-destination", source, target], check=True)


def answers(path: str) -> str:
    """Return the answer of the running app to a path, once it answers."""
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def main(folder: Path) -> None:
    """Build the system, run the app in it, and report."""
    bare_system(folder)
    image = Image(folder)
    for name, value in instructions(DOCKERFILE.read_text()):
        image.apply(name, value)
    with tempfile.NamedTemporaryFile() as mark:
        subprocess.run(["chroot", "--userspec=" + image.user, folder, "test", "!", "-w", "/app"], check=True)
        app = image.start()
        try:
            assert answers("/ping").strip() == '"pong"'
            assert '"database"' in answers("/ready") or "ready" in answers("/ready")
            assert "<html" in answers("/").lower()
        finally:
            app.terminate()
            app.wait(60)
        copy = image.start("backup", "/data/copy.db")
        assert copy.wait(60) == 0
        newer = [
            "find",
            folder,
            "-xdev",
            "-newer",
            mark.name,
            "-type",
            "f",
            "-not",
            "-path",
            f"{folder}/data/*",
        ]
        written = subprocess.run(newer, check=True, capture_output=True, text=True).stdout
    assert not written, f"The app has written to:\n{written}"
    print("in /data:", *sorted(path.name for path in (folder / "data").iterdir()))
    print(f"The app ran as {image.user}, ended with {app.returncode}, and wrote to /data and /tmp only.")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
