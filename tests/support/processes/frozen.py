"""Leave all modules out of garbage collections; imported where no more modules follow.

Each child of a fork server would look at them again and again, and copy the memory in which they are.
"""

from __future__ import annotations

import gc

gc.freeze()
