"""Serve agents to OpenAI's clients: an agent is a model, and a turn of its thread an answer.

`docs/reference/openai.md` lists the paths and the parameters, and decision 0034 has the reasons.
"""

from __future__ import annotations

from agent_core.http.openai.app import make_openai_app

__all__ = ["make_openai_app"]
