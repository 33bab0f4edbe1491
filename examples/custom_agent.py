"""Add an agent to the app's agent menu: a poet that answers in verse.

Serve it with `CHAT_EXTENSIONS=examples.custom_agent make run` and choose Poet above the page.
"""

from agent_core import Agent, CallContext
from chat_app.extensions import register_agent
from chat_app.session.service import service


def poet(ctx: CallContext, thread_id: str) -> Agent:
    """Build the agent before each step, with the model that the app found."""
    model = service().choice
    return Agent("poet", model.name, system="Answer in verse, in two lines.", **model.options)


register_agent(Agent.factory(poet, name="poet"), title="Poet")
