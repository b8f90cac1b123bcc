"""``python -m backoffice`` is ``pos-backoffice``."""

import sys

from backoffice.cli import main

sys.exit(main())
