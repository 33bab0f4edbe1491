"""Test that a process of a killed test run ends, with the processes that it has started."""

from __future__ import annotations

import subprocess
import sys

import psutil

from agent_core.testing import eventually
from tests.support.browser.server import ROOT

RUN = """
import time
from tests.support.processes import lifeline
ended = lifeline.start(["true"])
ended.wait()
lifeline.ended(ended)
print(lifeline.start(["sh", "-c", "sleep 600 & sleep 600"]).pid, flush=True)
time.sleep(600)
"""


async def test_a_killed_run_leaves_no_process() -> None:
    with subprocess.Popen([sys.executable, "-c", RUN], cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        shell = psutil.Process(int(run.stdout.readline()))
        await eventually(lambda: len(shell.children()) == 2)
        found = [shell, *shell.children()]
        run.kill()
    await eventually(
        lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in found)
    )
