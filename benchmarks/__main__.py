"""Run the measurements named on the command line, or all of them."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.report import machine

ALL = (
    "steps",
    "steps_postgresql",
    "growth",
    "large_database",
    "chunk_cpu",
    "live_streams",
    "long_threads",
    "resume",
    "fairness",
    "page",
    "page_markdown",
    "thread_list",
    "typing_lag",
    "tabs",
    "first_load",
)


def main() -> None:
    """Run each measurement in its own process, so that none warms another's caches."""
    names = sys.argv[1:] or list(ALL)
    if unknown := [name for name in names if name not in ALL]:
        sys.exit(f"No measurement is called {', '.join(unknown)}; there are {', '.join(ALL)}.")
    print(f"Measured on {machine()}", flush=True)
    failed = [
        name for name in names if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode
    ]
    if failed:
        sys.exit(f"Could not be measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
