import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pos_agent.errors import JournalCorruptError, JournalError, JournalFullError, JournalNewerError
from pos_agent.journal import _storage
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import TERMINAL_ID, make_request, make_slip
from tests.unit.journal.conftest import open_journal

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from pos_agent.journal.store import Journal
from tests.fakes.clocks import ManualClock
from tests.fakes.samples import TERMINAL_ID, make_request

async def main():
    journal = await Journal.open(Path(sys.argv[1]), terminal_id=TERMINAL_ID, boot_id="b", clock=ManualClock())
    for number in range(1, 1000):
        await journal.commit_refund(make_request(number), [])
        print(number, flush=True)
        if number == 7:
            os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@contextmanager
def file_size_limit(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size: a disk that is full, for root and everybody."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_i8_committed_requests_survive_sigkill(tmp_path: Path, clock: ManualClock) -> None:
    async def kept() -> list[int]:
        journal = await open_journal(tmp_path, clock)
        records = await journal.newest_refunds(100)
        await journal.close()
        return [record.request.seq for record in records]

    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), root], capture_output=True, check=False, timeout=30
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert asyncio.run(kept()) == [int(line) for line in reversed(done.stdout.split())] == [7, 6, 5, 4, 3, 2, 1]


async def test_disk_full_raises_keeps_nothing_and_recovers(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    await journal.commit_refund(make_request(1), [])
    with file_size_limit((tmp_path / "journal.db-wal").stat().st_size + 4096):
        results = await asyncio.gather(
            *(journal.commit_refund(make_request(n), [make_slip("x" * 20_000)]) for n in (2, 3)),
            return_exceptions=True,
        )
    assert all(isinstance(result, JournalFullError) for result in results)
    assert len(await journal.newest_refunds(10)) == 1
    assert await journal.unfinished_print_jobs() == 0
    assert (await journal.commit_refund(make_request(4), [])).seq == 2
    assert (await journal.audit_verify())[0] == 2
    await journal.close()


async def test_corrupt_journal_is_set_aside_and_never_recreated(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    for number in range(1, 40):
        await journal.commit_refund(make_request(number), [])
    await journal.close()
    path = tmp_path / "journal.db"
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 12] = b"\xa5" * (4096 * 10)
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(JournalCorruptError):
            await open_journal(tmp_path, clock)
        assert not path.exists()
    [aside] = tmp_path.glob("journal.corrupt-*.db")
    assert aside.read_bytes() == bytes(content)
    assert _storage.release_set_aside(tmp_path) == [aside.name]
    journal = await open_journal(tmp_path, clock)
    assert await journal.newest_refunds(1) == []
    await journal.close()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be looked at" * 20, b"\0" * 8192])
async def test_foreign_file_is_set_aside(tmp_path: Path, clock: ManualClock, content: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    with pytest.raises(JournalCorruptError):
        await open_journal(tmp_path, clock)
    [aside] = tmp_path.glob("journal.corrupt-*.db")
    assert aside.read_bytes() == content


async def test_command_beside_the_daemon_never_sets_aside(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "journal.db").write_bytes(b"\0" * 8192)
    with pytest.raises(JournalCorruptError):
        await Journal.open(tmp_path, terminal_id=TERMINAL_ID, boot_id="b", clock=clock, is_owner=False)
    assert (tmp_path / "journal.db").exists()


async def test_newer_journal_is_refused_and_left_alone(tmp_path: Path, clock: ManualClock) -> None:
    await (await open_journal(tmp_path, clock)).close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalNewerError, match="version 99") as caught:
        await open_journal(tmp_path, clock)
    assert caught.value.code == "E-VERSION"  # not the words for a bad card: nothing is broken
    assert (tmp_path / "journal.db").exists()


async def test_journal_of_other_terminal_is_refused(tmp_path: Path, clock: ManualClock) -> None:
    await (await open_journal(tmp_path, clock)).close()
    with pytest.raises(JournalError, match="terminal_id"):
        await Journal.open(tmp_path, terminal_id="t-other", boot_id="b", clock=clock)
    assert (tmp_path / "journal.db").exists()


async def test_damaged_draft_is_dropped_and_journal_lives(tmp_path: Path, clock: ManualClock) -> None:
    await (await open_journal(tmp_path, clock)).close()
    (tmp_path / "draft.db").write_bytes(b"junk" * 2000)
    journal = await open_journal(tmp_path, clock)
    assert await journal.load_draft() is None
    await journal.close()


async def test_second_owner_is_refused_but_a_command_may_look(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    with pytest.raises(JournalError, match="another process"):
        await open_journal(tmp_path, clock)
    beside = await Journal.open(tmp_path, terminal_id=TERMINAL_ID, boot_id="b", clock=clock, is_owner=False)
    await beside.put_operator(operator_no="07", person_id="p", name="n", role="cashier", pin_hash="h")
    await beside.close()
    assert await journal.operator("07") is not None
    await journal.close()


async def test_i6_changed_audit_line_is_named(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    for number in range(4):
        await journal.audit("event", "01", {"number": str(number)})
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("UPDATE audit SET actor = '02' WHERE line = 3")
        connection.commit()
    journal = await open_journal(tmp_path, clock)
    with pytest.raises(JournalCorruptError, match="line 3"):
        await journal.audit_verify()
    await journal.close()


async def test_volatile_folder_is_refused_without_permission(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POS_AGENT_ALLOW_VOLATILE")
    monkeypatch.setattr(_storage, "file_system_type", lambda *_: "overlay")
    with pytest.raises(JournalError, match="overlay"):
        await open_journal(tmp_path, clock)
    assert not (tmp_path / "journal.db").exists()


def test_file_system_type_is_read_by_device_number() -> None:
    kind = _storage.file_system_type(Path("/proc"), Path("/proc/self/mountinfo").read_text())
    assert kind == "proc"


async def test_calls_after_close_raise(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    await journal.ping()
    await journal.close()
    with pytest.raises(JournalError):
        await journal.ping()


async def test_cancelled_caller_still_commits(tmp_path: Path, clock: ManualClock) -> None:
    journal = await open_journal(tmp_path, clock)
    task = asyncio.create_task(journal.commit_refund(make_request(), []))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(journal.outbox_changed.wait(), 5)
    assert len(await journal.newest_refunds(1)) == 1
    await journal.close()
