"""Runs in a mount namespace of its own: ``python -m tests.durability.storage_child full|read_only FOLDER``.

It mounts a small file system, makes it fail for real, and prints one JSON object of what the journal said.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from pos_agent.errors import JournalError
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import TERMINAL_ID, make_request, make_slip

#: Room for the reserve, for what must stay free beside it, and a little more.
_SIZE = "56M"


def mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def remount(folder: Path, how: str) -> None:
    # bind: of the mount alone. Of the file system, an ordinary user may not: its options name an owner outside.
    subprocess.run(["mount", "-o", f"remount,bind,{how}", str(folder)], check=True)


def fill_up(folder: Path) -> Path:
    """Take all the room that is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65_536) == 65_536:
                pass
            while file.write(b"\0" * 512) == 512:
                pass
        except OSError:
            pass
    return ballast


async def full(folder: Path) -> dict[str, object]:
    mount(folder, f"size={_SIZE}")
    journal = await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id="b", clock=ManualClock())
    said: dict[str, object] = {"before": await journal.upkeep.storage_code()}
    said["reserve"] = (folder / "journal.reserve").exists()
    ballast = fill_up(folder)
    said["full"] = await journal.upkeep.storage_code()
    begun = [await journal.commit_refund(make_request(n), [make_slip("x" * 3000)] * 2) for n in range(1, 21)]
    said["begun"] = len(begun)
    said["kept"] = len(await journal.newest_refunds(100))
    said["reserve_given"] = not (folder / "journal.reserve").exists()
    said["still"] = await journal.upkeep.storage_code()
    ballast.unlink()
    said["after"] = await journal.upkeep.storage_code()
    said["reserve_again"] = (folder / "journal.reserve").exists()
    said["lines"] = (await journal.audit_verify())[0]
    await journal.close()
    return said


async def read_only(folder: Path) -> dict[str, object]:
    mount(folder, f"size={_SIZE}")
    journal = await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id="b", clock=ManualClock())
    await journal.commit_refund(make_request(1), [])
    await journal.close()
    remount(folder, "ro")
    said: dict[str, object] = {}
    try:
        await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id="b", clock=ManualClock())
    except JournalError as error:
        said["at_start"] = error.code
    remount(folder, "rw")
    journal = await Journal.open(folder, terminal_id=TERMINAL_ID, boot_id="b", clock=ManualClock())
    said["after"] = await journal.upkeep.storage_code()
    said["kept"] = len(await journal.newest_refunds(100))
    await journal.close()
    return said


def main() -> None:
    os.environ["POS_AGENT_ALLOW_VOLATILE"] = "1"
    scenario = {"full": full, "read_only": read_only}[sys.argv[1]]
    print(json.dumps(asyncio.run(scenario(Path(sys.argv[2])))))


if __name__ == "__main__":
    main()
