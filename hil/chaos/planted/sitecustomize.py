"""Imported by Python itself at the start of a child that the rig sent here; plants the bug that is named."""

import os

if os.environ.get("POS_AGENT_PLANT"):
    from hil.chaos.planted.bugs import BUGS
    from hil.chaos.planted.hook import plant

    plant(BUGS[os.environ["POS_AGENT_PLANT"]])
