"""Parts of the rig that need no daemon: keys and certificates, TOML, ports, processes, changes."""

import asyncio
import base64
import socket
import ssl
import stat
import sys
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.rig.changes import Changes
from hil.rig.pki import make_pki
from hil.rig.ports import MAX_SOCKET_PATH_BYTES, free_port, socket_folder
from hil.rig.process import ManagedProcess, ProcessFailedError, run_tool
from hil.rig.toml_text import toml_text


def test_pki_certificates_are_accepted_by_tls_both_ways(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki", terminal_id="t-demo-01", worker_names=("backoffice-1",))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pki.broker.cert_file, pki.broker.key_file)
    server.load_verify_locations(pki.ca_file)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(pki.ca_file))
    client.load_cert_chain(pki.terminal.cert_file, pki.terminal.key_file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    far = server.wrap_bio(to_server, to_client, server_side=True)
    pending = [near, far]
    for _ in range(8):
        pending = [side for side in pending if not _is_done(side)]
    assert not pending
    subject = far.getpeercert()
    assert subject is not None
    assert subject["subject"] == ((("commonName", "t-demo-01"),),)


def _is_done(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def test_pki_private_files_are_for_their_owner_only(tmp_path: Path) -> None:
    make_pki(tmp_path / "pki", terminal_id="t-demo-01", worker_names=("backoffice-1",))
    for path in (tmp_path / "pki").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


def test_pki_signing_key_matches_its_public_half(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki", terminal_id="t-demo-01", worker_names=())
    key = serialization.load_pem_private_key(pki.device_key.key_file.read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)
    assert base64.b64encode(key.public_key().public_bytes_raw()).decode() == pki.device_key.public_base64
    assert len(base64.b64decode(pki.lookup_key_file.read_text())) == 32


_WORDS = st.text(max_size=12)
_SCALARS = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), _WORDS, st.lists(_WORDS, max_size=3))
_KEYS = st.text(min_size=1, max_size=8)
_TABLES = st.recursive(
    st.dictionaries(_KEYS, _SCALARS, max_size=4),
    lambda inner: st.dictionaries(_KEYS, inner | _SCALARS, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(_TABLES)
def test_toml_text_reads_back_as_it_was(document: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(document)) == document


def test_toml_text_none_is_refused() -> None:
    with pytest.raises(TypeError):
        toml_text({"a": None})


def test_free_port_taken_gives_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port


def test_socket_folder_long_path_goes_to_a_short_one(tmp_path: Path) -> None:
    folder = socket_folder(tmp_path / ("long" * 25))
    try:
        assert len(str(folder / "printer.sock").encode()) < MAX_SOCKET_PATH_BYTES
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    finally:
        folder.rmdir()


async def test_process_ready_and_stopped_in_order(tmp_path: Path) -> None:
    process = ManagedProcess("child", tmp_path / "child.log")
    program = "import signal, sys; signal.signal(15, lambda *_: sys.exit(print('bye'))); print('up'); signal.pause()"
    process.spawn([sys.executable, "-c", program])
    await process.wait_until(lambda: "up" in process.log_text(), timeout_s=10, what="up")
    await process.stop()
    assert not process.is_running
    assert "bye" in process.log_text()


async def test_process_stopped_child_is_ended_too(tmp_path: Path) -> None:
    import signal

    process = ManagedProcess("child", tmp_path / "child.log")
    process.spawn(["sleep", "60"])
    process.signal(signal.SIGSTOP)
    await process.stop()
    assert not process.is_running


async def test_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    process = ManagedProcess("child", tmp_path / "child.log")
    process.spawn(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 60; done"])
    await process.wait_until(lambda: "up" in process.log_text(), timeout_s=10, what="up")
    await process.stop(timeout_s=0.05)
    assert not process.is_running


async def test_process_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    process = ManagedProcess("child", tmp_path / "child.log")
    process.spawn(["sh", "-c", "echo no such key >&2; exit 3"])
    with pytest.raises(ProcessFailedError, match="no such key"):
        await process.wait_until(lambda: False, timeout_s=10, what="ready line")


async def test_run_tool_gives_stdin_and_returns_stdout(tmp_path: Path) -> None:
    output = await run_tool(["json.tool", "--compact"], log_path=tmp_path / "log", input_text='{ "a": 1 }')
    assert output.strip() == '{"a":1}'


async def test_run_tool_failure_shows_stderr(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailedError, match="Expecting"):
        await run_tool(["json.tool"], log_path=tmp_path / "log", input_text="{")


async def test_run_tool_that_hangs_is_ended_and_named(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailedError, match="did not end in"):
        await run_tool(["http.server", "--bind", "127.0.0.1", "0"], log_path=tmp_path / "log", timeout_s=0.3)


async def test_changes_wait_screen_is_not_woken_by_a_slip() -> None:
    changes = Changes()
    waiting = asyncio.create_task(changes.wait_screen(changes.screen_seq, 10))
    await asyncio.sleep(0)
    changes.add("slip")
    await asyncio.sleep(0)
    assert not waiting.done()
    changes.add("screen")
    await waiting


async def test_changes_wait_gives_up_after_its_time() -> None:
    async with asyncio.timeout(5):
        await Changes().wait_slip(0, 0.01)


def test_changes_slow_stream_loses_the_oldest() -> None:
    changes = Changes()
    stream = changes.subscribe()
    for _ in range(300):
        changes.add("screen")
    assert stream.qsize() == 256
    assert stream.get_nowait().seq == 300 - 256 + 1
    changes.unsubscribe(stream)
    assert not changes.has_listeners
