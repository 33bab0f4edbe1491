"""Show a process from outside: whether it is ready, and its metrics."""

from agent_core.monitoring.metrics import Metrics
from agent_core.monitoring.monitor import Monitor, Page
from agent_core.monitoring.port import serve
from agent_core.monitoring.readiness import ReadyCheck

__all__ = ["Metrics", "Monitor", "Page", "ReadyCheck", "serve"]
