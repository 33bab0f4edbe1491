"""Convert documents and pictures that models cannot read: docx, xlsx and pptx to Markdown, HEIC to JPEG.

The libraries are those of the extra `files`. Each file is converted in a process of its own with a time limit, so
that a hostile file can neither block nor end this one, and never sees this one's environment variables.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec

from agent_core.text import converters
from agent_core.text.converters import CONVERTERS, DOCX, HEIC, PPTX, XLSX

__all__ = ["DOCX", "HEIC", "PPTX", "XLSX", "ConversionError", "convert", "converted_type", "convertible"]

_SECONDS = 30.0  # longest conversion
_PROCESSES = ThreadPoolExecutor(2, thread_name_prefix="conversion")  # at once; each thread waits for one
_SYSTEM = ("PATH", "SYSTEMROOT", "TMPDIR", "LD_LIBRARY_PATH")
"""Variables that a Python process may need to start."""
_LEAN = {"MALLOC_ARENA_MAX": "2", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class ConversionError(Exception):
    """The file is damaged, encrypted or too large, or it takes too long."""


@cache
def convertible() -> frozenset[str]:
    """Return the media types that can be converted here: none without the extra `files`."""
    return frozenset(
        media_type for media_type, (_, _, packages) in CONVERTERS.items() if all(map(_is_installed, packages))
    )


def converted_type(media_type: str) -> str | None:
    """Return the media type of what a file is converted to; None if files of its type are never converted."""
    found = CONVERTERS.get(media_type)
    return None if found is None else found[1]


async def convert(data: bytes, media_type: str) -> bytes | None:
    """Return Markdown in UTF-8 or a JPEG; None if files of this type cannot be converted here.

    Raises:
        ConversionError: the file is damaged, encrypted or too large, or takes longer than half a minute.
    """
    if media_type not in convertible():
        return None
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_PROCESSES, _run, data, media_type)


def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def _run(data: bytes, media_type: str) -> bytes:
    environment = {name: os.environ[name] for name in _SYSTEM if name in os.environ}
    environment |= _LEAN | {"PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path))}
    try:
        done = subprocess.run(
            [sys.executable, "-P", converters.__file__, media_type],
            input=data,
            capture_output=True,
            timeout=_SECONDS,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConversionError(f"The conversion took longer than {_SECONDS:g} seconds.") from error
    if done.returncode or not done.stdout:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ConversionError(said or f"The conversion ended with {done.returncode}.")
    return done.stdout
