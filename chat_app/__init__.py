"""Chat app: the pages on top of agent_core."""

from agent_core.moved import install
from chat_app.moved import MOVED

install(MOVED)
