"""Chat app: the pages on top of agent_core."""

import gc

_collects = gc.isenabled()
gc.disable()  # collections would look at the library's modules again and again: a tenth of a start

from agent_core.moved import install  # noqa: E402
from chat_app.moved import MOVED  # noqa: E402

install(MOVED)
if _collects:
    gc.enable()
