"""Show a process from outside: whether it is ready, and its metrics; and describe a database."""

from agent_core.monitoring.database_report import DatabaseReport, inspect_database
from agent_core.monitoring.metrics import Metrics
from agent_core.monitoring.monitor import Monitor, Page
from agent_core.monitoring.port import serve
from agent_core.monitoring.readiness import ReadyCheck

__all__ = ["DatabaseReport", "Metrics", "Monitor", "Page", "ReadyCheck", "inspect_database", "serve"]
