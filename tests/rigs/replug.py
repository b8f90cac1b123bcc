"""How soon a printer that is plugged in is in use, with and without a uevent."""

import asyncio

from pos_agent.devices.supervisor import DeviceSupervisor
from tests.contract.printer_rigs import SimPrinterRig
from tests.fakes.waiting import until


async def seconds_to_open(rig: SimPrinterRig, *, is_nudged: bool) -> float:
    """Plug the printer in while a supervisor waits for it; return how long it took."""
    await rig.start()
    supervisor = DeviceSupervisor([rig.device], sink=rig.events.append)
    task = asyncio.create_task(supervisor.run(), name="supervisor")
    await until(lambda: rig.events)  # told as absent: the first attempt has failed
    loop = asyncio.get_running_loop()
    rig.plug()
    plugged_at_s = loop.time()
    if is_nudged:
        supervisor.nudge()
    await until(lambda: rig.device.status.is_online)
    took_s = loop.time() - plugged_at_s
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await rig.stop()
    return took_s
