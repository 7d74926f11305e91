"""``python -m bascule``."""

import os
import sys

from bascule.cli import main
from bascule.core.processes import processes

if __name__ == "__main__":
    code = main()
    if processes() > 1:
        # Threads of gloo that outlive the group abort one exit in some twenty.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
