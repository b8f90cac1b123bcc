"""What a simulated printer is: its descriptors, mechanics and habits."""

from dataclasses import dataclass

#: What a cheap clone takes for text.
CLONE_PRINTS = frozenset({"DLE EOT", "GS a", "GS r", "GS I", "GS ( H"})


@dataclass(frozen=True, kw_only=True)
class PrinterSpec:
    """One model; the defaults are a fast 80 mm printer of the Chinese market with Epson's identity.

    Attributes:
        width_dots: Print area; 576 on 80 mm paper, 384 on 58 mm.
        speed_mm_s: Paper speed while printing and feeding.
        buffer_bytes: Receive buffer; 45 B … 64 KiB. One more 64-byte packet waits in the endpoint.
        nak_when_offline: The busy rule "buffer full or offline" (memory switch): nothing is accepted while offline.
        is_kanji_default: Starts, and comes back from `ESC @`, in kanji mode, as printers for China do.
        has_four_byte_kanji: Knows the four-byte part of GB18030.
        answers: Which questions get an answer: `asb`, `dle_eot`, `gs_r`, `gs_i`, `gs_h`; a clone answers fewer.
        prints: Commands, by their tokens' names, that it does not know: their letters come out on paper (field.md 18).
        has_kernel_driver: usblp is bound when the device appears.
        roll_mm, near_end_mm: Length of a new roll, and what is left when the near-end sensor trips.
        head_to_cutter_mm: What was just printed is still that far before the knife.
    """

    vendor_id: int = 0x04B8
    product_id: int = 0x0E28
    bcd_device: int = 0x0100
    manufacturer: str = "EPSON"
    product: str = "TM-T20III"
    serial_number: str = "X4SIM000001"
    width_dots: int = 576
    dots_per_mm: int = 8
    speed_mm_s: float = 200.0
    cut_s: float = 0.4
    buffer_bytes: int = 4096
    nak_when_offline: bool = False
    is_kanji_default: bool = True
    has_four_byte_kanji: bool = True
    answers: frozenset[str] = frozenset({"asb", "dle_eot", "gs_r", "gs_i", "gs_h"})
    prints: frozenset[str] = frozenset()
    has_kernel_driver: bool = True
    roll_mm: float = 50_000.0
    near_end_mm: float = 2_000.0
    head_to_cutter_mm: float = 15.0

    @property
    def device_id(self) -> str:
        """Return the IEEE 1284 device id."""
        return f"MFG:{self.manufacturer};CMD:ESC/POS;MDL:{self.product};CLS:PRINTER;SN:{self.serial_number};"
