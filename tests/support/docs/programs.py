"""Run programs like `python program`, forked from a process that has already imported the library."""

from __future__ import annotations

import gc
import os
import runpy
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from tests.support.processes.children import FORKED

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT = 100  # seconds
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


class Done(NamedTuple):
    """Output, error output and exit code of a program."""

    out: str
    err: str
    code: int | None


def run_program(
    program: str | Path,
    *arguments: str,
    cwd: Path,
    told: str = "",
    strict: bool = True,
) -> Done:
    """Run a file, or source text as `python -c` does, to its end.

    Args:
        told: text for the program's standard input.
        strict: treat warnings as errors, as with `-W error`.
    """
    pipes = [cwd / f".{name}" for name in ("stdin", "stdout", "stderr")]
    pipes[0].write_text(told, encoding="utf-8")
    child = FORKED.Process(target=_run, args=(program, arguments, cwd, pipes, strict))
    child.start()
    child.join(TIMEOUT)
    code = child.exitcode
    child.kill()
    out, err = (pipe.read_text(encoding="utf-8") for pipe in pipes[1:])
    for pipe in pipes:
        pipe.unlink()
    return Done(out.strip(), err, code)


def _run(program: str | Path, arguments: tuple[str, ...], cwd: Path, pipes: list[Path], strict: bool) -> None:
    for number, flags in enumerate((os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2)):
        os.dup2(os.open(pipes[number], flags), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 (a descriptor, for as long as it runs)
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    os.chdir(cwd)
    if strict:
        warnings.resetwarnings()
        warnings.simplefilter("error")
    sys.argv = [str(program) if isinstance(program, Path) else "-c", *arguments]
    if isinstance(program, Path):
        runpy.run_path(str(program), run_name="__main__")
    else:
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), vars(main))
    gc.collect()  # reports coroutines and resources never awaited or closed
