"""`python -m pos_agent` is `pos-agent`."""

import sys

from pos_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
