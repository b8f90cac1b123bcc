"""What hangs on a receipt printer besides its paper: cash drawer and buzzer. Pure: bytes only, b"" = it has none.

Source: Epson ESC/POS Command Reference, "ESC p"; ``ESC B n t`` from the manuals of printers for China.
"""

from drivers.escpos.profile import Buzzer, Profile

#: Pulse of the solenoid: on 100 ms, off 200 ms, in units of 2 ms; longer pulses overheat it.
DRAWER_ON_2MS, DRAWER_OFF_2MS = 50, 100
_PINS = {2: 0, 5: 1}
BEEP_100MS = 2


def open_drawer(profile: Profile) -> bytes:
    """Return the command that opens the cash drawer."""
    if not profile.drawer_pin:
        return b""
    return bytes([0x1B, ord("p"), _PINS[profile.drawer_pin], DRAWER_ON_2MS, DRAWER_OFF_2MS])


def beep(profile: Profile, *, times: int = 1) -> bytes:
    """Return the command that sounds `times` (1 to 9) short tones."""
    if profile.buzzer is Buzzer.NONE:
        return b""
    return bytes([0x1B, ord("B"), min(max(times, 1), 9), BEEP_100MS])
