"""Imported last by the server that worker processes are copied from, see `members`.

The collector writes into every object that it looks at, and what is written to is no longer shared
between processes: what has been imported so far is taken out of its sight.

Libraries that were imported here may tell the terminal of what they leak when the interpreter takes
them down (Triton's bindings do, in hundreds of lines). The server has nothing to put in order, so
it ends without that. Its copies are workers, which end in the same way anyhow.
"""

import atexit
import gc
import os

gc.freeze()
atexit.register(os._exit, 0)
