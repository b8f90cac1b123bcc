"""A receipt printer as a device: ESC/POS bytes to paper, with mechanics, sensors and faults, behind simulated USB."""

from hil.simulators.printer.device import SimPrinter
from hil.simulators.printer.slip import PrintedCode, Slip
from hil.simulators.printer.spec import PrinterSpec

__all__ = ["PrintedCode", "PrinterSpec", "SimPrinter", "Slip"]
