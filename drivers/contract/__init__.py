"""The contract suites: what every device of a role promises, as tests that any driver can run.

Needs pytest and pytest-asyncio (``asyncio_mode = "auto"``). In the driver's own tests:

    from drivers.contract.device import *    # the tests that hold for every device
    from drivers.contract.scanner import *   # or keypad, display, printer

    @pytest_asyncio.fixture
    async def scanner_rig(tmp_path):          # keypad_rig, display_rig, printer_rig
        rig = MyRig(tmp_path)                 # a subclass of drivers.contract.rig.ScannerRig
        async for _ in run_rig(rig):          # drivers.contract.rig
            yield rig

    @pytest.fixture
    def device_rig(scanner_rig):
        return scanner_rig

A whole package that does so: docs/driver-template.
`-p drivers.contract.conformance --conformance=FOLDER` writes a sheet of what was proved, named by the rig's ``sheet``.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{role}" for role in ("device", "scanner", "keypad", "display", "printer"))
)
