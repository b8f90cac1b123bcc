"""The shipped table of scanner families, and a simulator for each row."""

from pathlib import Path

from drivers.scanner.table import TABLE_PATH, load_table
from hil.simulators import scanner_command as sim

TABLE = load_table(Path(__file__).parents[4] / "config" / TABLE_PATH)
SIMULATED = {
    "honeywell": sim.HONEYWELL,
    "datalogic": sim.DATALOGIC,
    "newland": sim.NEWLAND,
    "newland-em": sim.NEWLAND_EM,
    "zebra-ssi": sim.ZEBRA_SSI,
    "grow": sim.GROW,
}
