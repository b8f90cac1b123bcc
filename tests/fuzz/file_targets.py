"""Files that people write, copy and send: configuration, key maps, profiles, tables, incident files."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from backoffice.config import load_config as load_office_config
from backoffice.profiles import load_profiles
from drivers.escpos.memory import Memory
from drivers.escpos.memory import load as load_memory
from drivers.escpos.profile import parse_profile
from drivers.keypad.keymap import load_keymap
from drivers.scanner.table import load_table
from pos_agent.app.crashes import CrashCounter
from pos_agent.domain.config import Config
from pos_agent.domain.events import LinkChanged
from pos_agent.errors import ConfigError, IllegalTriggerError, IncidentFileError
from pos_agent.settings.data import DataFinder
from pos_agent.settings.load import load_config
from pos_agent.settings.salvage import salvage_config
from pos_agent.workflow.model import Input
from pos_agent.workflow.recorder import Recorder
from pos_agent.workflow.replay import read_incident, replay
from pos_agent.workflow.states import Trigger
from tests.fuzz.target import Check, Target, plain
from tests.unit.workflow.machine_rig import facts, found, order_code
from tests.unit.workflow.machine_rig import machine as machine_at_menu

_CONFIG = Path(__file__).parents[2] / "config"


def _files(*readers: tuple[str, Callable[[Path], object]]) -> Callable[[], AbstractContextManager[Check]]:
    """Return the maker of a check that writes its input to a file of that name, for each reader."""

    @contextmanager
    def make() -> Iterator[Check]:
        def check(data: bytes) -> None:
            for name, read in readers:
                path = Path(folder) / name
                path.write_bytes(data)
                try:
                    read(path)
                except ConfigError as error:
                    assert str(error)

        with tempfile.TemporaryDirectory(prefix="pos-agent-fuzz-files-") as folder:
            yield check

    return make


def _till(path: Path) -> None:
    assert isinstance(salvage_config(path), Config)
    load_config(path, {})


def _profile(path: Path) -> None:
    parse_profile(path.read_bytes().decode("utf-8", "replace"), profile_id="x")


def _data(path: Path) -> None:
    DataFinder(path.parent).load(path.name)


def _acquirers(path: Path) -> None:
    load_profiles((path.parent,))


def _starts(path: Path) -> None:
    assert CrashCounter(path.parent, boot_id="b", boottime_s=100.0).record_start() in (True, False)


def _printers(path: Path) -> None:
    assert isinstance(load_memory(path), Memory)


def _incident(data: bytes) -> None:
    try:
        header, records = read_incident(data)
    except IncidentFileError:
        return
    played = list(replay(header, records))
    assert [one.record for one in played] == records


def _story() -> bytes:
    """Return an incident file of a sign-in, a sale, a wrong key and a confirmed refund."""
    machine = machine_at_menu()
    recorder = Recorder(machine)
    for at_s, (trigger, data) in enumerate(_STORY):
        step = recorder.before(trigger, data, float(at_s))
        with contextlib.suppress(IllegalTriggerError):
            recorder.after(step, machine.fire(trigger, data))
    recorder.note(LinkChanged(True, True), 9.0)
    return recorder.encoded("key", max_bytes=100_000)


_STORY = (
    (Trigger.DIGIT, Input(facts=facts(), key="1")),
    (Trigger.SCAN, Input(facts=facts(), code=order_code())),
    (Trigger.LOOKUP_DONE, Input(facts=facts(), answer=found())),
    (Trigger.ENTER, Input(facts=facts())),
    (Trigger.DIGIT, Input(facts=facts(), key="1")),
    (Trigger.ENTER, Input(facts=facts())),
    (Trigger.TIMEOUT, Input(facts=facts())),
    (Trigger.CANCEL, Input(facts=facts())),
)


def _examples(*names: str) -> tuple[bytes, ...]:
    return tuple((_CONFIG / name).read_bytes() for name in names)


_TOML = (
    b"[[",
    b"]]",
    b"[" * 900,
    b"{a={a=",
    b'"""',
    b"1979-05-27T07:32:00Z",
    b"0x",
    b"inf",
    rb"\u0000",
    b"\xff",
    b"= []\n",
    b"= {}\n",
)
_JSON = (b"[" * 900, b"null", b"1e999", b"\\u0000", b"-1", b"\xff", b'"', b"{}", b"\n")
_STARTS = b'{"boot_id":"b","at_s":[1.0,2.0,3.0]}'

TARGETS = (
    Target(
        name="file-config",
        make=_files(("terminal.toml", _till)),
        seeds=(
            *_examples("terminal.toml"),
            b"[broker]\nurl='x'\n[devices.scanner]\nbaud=1\n",
            b"[terminal]\nterminal_id=1\n[policy]\n",
        ),
        words=(
            *_TOML,
            b"[devices]\n",
            b"[policy]\norder_patterns=['(']\n",
            b"broker.url=",
            b"[trust.back_office_keys]\n",
        ),
        max_bytes=12_000,
        quick_examples=40,
    ),
    Target(
        name="file-data",
        make=_files(
            ("keymap.toml", load_keymap),
            ("scanners.toml", load_table),
            ("profile.toml", _profile),
            ("data.toml", _data),
            ("acquirer.toml", _acquirers),
            ("backoffice.toml", load_office_config),
        ),
        seeds=(
            *_examples("keymaps/usb-numpad.toml", "devices/epson-tm-t20iii.toml", "acquirers/lakala.toml"),
            b"[server]\nport=1\n",
        ),
        words=_TOML,
        max_bytes=8192,
        quick_examples=40,
    ),
    Target(
        name="file-state",
        make=_files(("starts.json", _starts), ("printer.json", _printers)),
        seeds=(_STARTS, b'{"accepted":"i","wears":[{"identity":"i","total_mm":1.5}]}', b"\xff" * 8, b"\0" * 64),
        words=_JSON,
        quick_examples=100,
    ),
    Target(
        name="file-incident",
        make=plain(_incident),
        seeds=(_story(), b"", b"{}"),
        words=_JSON,
        max_bytes=16_000,
        quick_examples=150,
    ),
)
