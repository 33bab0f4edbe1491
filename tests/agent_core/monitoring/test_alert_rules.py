"""The alert rules of the docs name metrics and labels that a process serves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from agent_core.errors import ModelError
from agent_core.monitoring import Metrics
from tests.support.agents import agent_on, finished, runtime_of

RULES = Path(__file__).parents[3] / "docs/how-to/alert-rules.yaml"
_SELECTOR = re.compile(r'\b(agent_core_\w+)(?:\{(\w+)="(\w+)"\})?')


@pytest.mark.sqlite  # the metrics are the same
async def test_alert_rules_name_metrics_that_are_served(path: Path) -> None:
    async with agent_on(path, [[ModelError("no", kind="auth")]]) as api:
        metrics = Metrics(runtime_of(api))
        await finished(api, await api.create_thread("Hi"))
        served = await metrics.text()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", served, re.MULTILINE))
    labels = {(name, label) for name, label in re.findall(r"^(\w+)\{.*?(\w+)=", served, re.MULTILINE)}
    labels |= {
        (name, label) for name, label in re.findall(r'^(\w+)\{.*,(\w+)="[^,]*"\}', served, re.MULTILINE)
    }
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 0
    for rule in rules:
        assert rule["annotations"]["summary"].endswith(".")
        selected = _SELECTOR.findall(rule["expr"])
        assert selected, rule
        for name, label, _ in selected:
            assert name in kinds, f"{name} of {rule['alert']} is not served"
            assert not label or (name, label) in labels, f"{name} has no label {label}"
        for name in re.findall(r"(?:increase|rate)\((\w+)", rule["expr"]):
            assert kinds[name] == "counter", f"{name} of {rule['alert']} is no counter"
