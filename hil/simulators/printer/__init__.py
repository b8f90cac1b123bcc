"""A receipt printer as a device: ESC/POS bytes to paper, with mechanics, sensors and faults, behind simulated USB."""

from hil.simulators.printer.device import SimPrinter
from hil.simulators.printer.slip import PrintedCode, Slip
from hil.simulators.printer.spec import CLONE_PRINTS, PrinterSpec

__all__ = ["CLONE_PRINTS", "PrintedCode", "PrinterSpec", "SimPrinter", "Slip"]
