"""The life of the real daemon: ready, stopped, and the SAFE state instead of a black till (D18)."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from tempfile import TemporaryDirectory

import pytest

from tests.bench.till import PIN, ROOT, BenchTill

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("operator")
def test_daemon_says_ready_and_stops_clean_on_sigterm(till: BenchTill) -> None:
    till.start()
    status = till.status()
    assert (status.workflow_state, status.safe_code) == ("LOGIN", "")
    assert till.process is not None
    started = time.monotonic()
    till.process.send_signal(signal.SIGTERM)
    assert till.process.wait(10) == 0
    assert time.monotonic() - started < 5
    assert not (till.folder / "run" / "status.sock").exists()


@pytest.mark.usefixtures("operator")
def test_daemon_tells_systemd_stopping_and_feeds_the_watchdog(till: BenchTill) -> None:
    address = till.folder / "n2"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(address))
        notify.settimeout(10)
        process = subprocess.Popen(
            [sys.executable, "-m", "pos_agent", "run", "--config", str(till.folder / "terminal.toml")],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "POS_AGENT_ALLOW_VOLATILE": "1",
                "NOTIFY_SOCKET": str(address),
                "WATCHDOG_USEC": "400000",
            },
        )
        heard: list[str] = []
        while not any("WATCHDOG=1" in line for line in heard):
            heard.append(notify.recv(4096).decode())
        process.send_signal(signal.SIGTERM)
        while not any("STOPPING=1" in line for line in heard):
            heard.append(notify.recv(4096).decode())
        assert process.wait(10) == 0
    assert heard[0].startswith("READY=1\nSTATUS=LOGIN")


def test_daemon_without_operators_says_how_to_add_one(till: BenchTill) -> None:
    till.start()
    till.see("pos-agent operator add")


@pytest.mark.usefixtures("operator")
def test_daemon_with_a_misspelt_key_starts_safe_with_code_and_sentence(till: BenchTill) -> None:
    till.edit("merchant_name", "merchant_nane")
    till.start()
    till.see("E-CONFIG")
    status = till.status()
    assert (status.workflow_state, status.safe_code) == ("SAFE", "E-CONFIG")


def test_daemon_without_a_configuration_exits_78(till: BenchTill) -> None:
    (till.folder / "terminal.toml").unlink()
    assert till.run_tool("run").returncode == 78


@pytest.mark.usefixtures("operator")
def test_daemon_with_a_broken_journal_sets_it_aside_and_stays_safe(till: BenchTill) -> None:
    data = till.folder / "data"
    for path in data.glob("journal.db*"):
        path.write_bytes(b"not a database " * 4096)
    for _ in range(2):
        till.start()
        till.see("E-JOURNAL")
        assert till.status().safe_code == "E-JOURNAL"
        till.stop()
    kept = list(data.glob("journal.corrupt-*.db"))
    assert len(kept) == 1
    assert kept[0].read_bytes().startswith(b"not a database")
    assert not (data / "journal.db").exists()
    release = ("outbox", "release", "--by", "Chen Jie", "--why", "repair 4711")
    assert till.run_tool(*release).returncode == 1
    assert till.run_tool(*release, "--yes").returncode == 0
    till.start()
    assert till.status().safe_code == ""
    assert kept[0].exists()
    till.stop()
    with closing(sqlite3.connect(data / "journal.db")) as journal:
        (told,) = journal.execute("SELECT data FROM audit WHERE event = 'journal.released'").fetchall()
    assert json.loads(told[0]) == {"file": kept[0].name, "note": "Chen Jie: repair 4711"}


@pytest.mark.usefixtures("operator")
def test_daemon_that_crashes_three_times_starts_safe(till: BenchTill) -> None:
    boot = {"POS_AGENT_BOOT_ID": "one boot"}
    for _ in range(3):
        till.start(boot)
        assert till.status().safe_code == ""
        assert till.process is not None
        till.process.kill()
        till.process.wait()
    till.start(boot)
    assert till.status().safe_code == "E-CRASH"
    till.see("E-CRASH")


def test_daemon_on_a_memory_file_system_refuses_refunds(till: BenchTill) -> None:
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("no tmpfs to try it on")
    with TemporaryDirectory(prefix="pa", dir="/dev/shm") as folder:
        till.edit(f'data_dir = "{till.folder}/data"', f'data_dir = "{folder}"')
        till.start({"POS_AGENT_ALLOW_VOLATILE": "0"})
        till.see("E-DISK3")
        assert till.status().safe_code == "E-DISK3"
        till.stop()


def test_operator_add_reads_the_pin_from_standard_input(till: BenchTill) -> None:
    arguments = ("operator", "add", "--no", "07", "--name", "Li", "--role", "cashier")
    assert [till.run_tool(*arguments, given=f"{pin}\n").returncode for pin in ("0000", "", "12")] == [2, 2, 2]
    assert json.loads(till.run_tool("operator", "list", "--json").stdout) == []
    assert till.run_tool(*arguments, given=f"{PIN}\n").returncode == 0
    listed = till.run_tool("operator", "list", "--json").stdout
    assert [row["operator_no"] for row in json.loads(listed)] == ["07"]
    assert PIN not in listed


@pytest.mark.usefixtures("operator")
def test_commands_beside_a_running_daemon_answer(till: BenchTill) -> None:
    till.start()
    assert json.loads(till.run_tool("status", "--json").stdout)["terminal_id"] == "t-bench-01"
    assert till.run_tool("outbox", "list").stdout.strip() == "nothing waits to be sent"
    assert till.run_tool("outbox", "show", "123456").returncode == 1
    assert till.status().workflow_state == "LOGIN"


def test_check_config_names_the_key_and_exits_2(till: BenchTill) -> None:
    till.edit("merchant_name", "merchant_nane")
    result = till.run_tool("check-config")
    assert result.returncode == 2
    assert "did you mean terminal.merchant_name?" in result.stderr
