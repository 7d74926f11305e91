"""``python -m bascule``, and the command ``bascule``."""

import os
import sys


def main() -> int:
    """Run one command; returns the exit code. Ctrl-C while modules load is one line, too."""
    try:
        from bascule.cli import main as command
        from bascule.core.processes import processes
    except KeyboardInterrupt:
        print("bascule: interrupted", file=sys.stderr)
        return 130
    code = command()
    if processes() > 1:
        # Threads of gloo that outlive the group abort one exit in some twenty.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
