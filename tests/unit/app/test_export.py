"""`pos-agent outbox export` and `pos-backoffice rescue` of its file: every older and newer journal (trust.md 16)."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backoffice import cli as office_cli
from backoffice import outbox_files
from backoffice.outbox_files import Taken
from backoffice.store.schema import Message
from pos_agent.cli import main
from pos_agent.domain.refund import RefundRequest
from pos_agent.journal import _outbox, _refunds, _schema
from pos_agent.protocol import outbox_file
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.messages import AckStatus, AppAckMessage
from tests.unit.backoffice.world import TERMINAL, World, make_world

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
DATA = Path(__file__).parents[3] / "config"
#: Enough for several pages of each table.
MANY = 24
VERSIONS = range(1, len(_schema.JOURNAL_MIGRATIONS) + 1)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


class Till:
    """A till's files: configuration, key, journal of any schema version; no daemon."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder, self.world = folder, world
        self.data = folder / "data"
        self.data.mkdir()
        self.file = folder / "outbox.jsonl"
        (folder / "device.pem").write_bytes(world.keys[TERMINAL].to_pem())
        self.config = folder / "terminal.toml"
        self.write_config()

    def write_config(self, extra: str = "") -> None:
        self.config.write_text(
            f'[terminal]\nterminal_id = "{TERMINAL}"\nmerchant_id = "M1"\nmerchant_name = "店"\n'
            f'data_dir = "{self.data}"\n{extra}\n'
            '[broker]\nurl = "mqtt://127.0.0.1:1883"\n'
            f'[trust]\ndevice_key_file = "{self.folder / "device.pem"}"\ndevice_key_id = "d1"\n'
            "[trust.back_office_keys]\n",
            encoding="utf-8",
        )

    def journal(self, version: int | None = None, *, name: str = "journal.db") -> sqlite3.Connection:
        connection = _schema.connect(self.data / name)
        _schema.migrate(connection, _schema.JOURNAL_MIGRATIONS[:version])
        return connection

    def commit(self, connection: sqlite3.Connection, count: int = 1, **fields: Any) -> list[RefundRequest]:
        requests = [self.world.request(amount_minor=100 + number, **fields) for number in range(count)]
        return [_refunds.commit(connection, request, [], lambda _r, slips: slips) for request in requests]

    def export(self, *arguments: str) -> int:
        options = ["--config", str(self.config), "--data-dir", str(DATA), *arguments]
        return main(["outbox", "export", str(self.file), *options])

    def messages(self) -> list[dict[str, Any]]:
        found = []
        for line in self.file.read_bytes().splitlines()[:-1]:
            leaf, envelope = json.loads(line)
            assert leaf == "up/refund"
            found.append(json.loads(msgspec.json.decode(msgspec.json.encode(envelope["payload"]), type=bytes)))
        return found

    def ids(self) -> list[str]:
        return [m["request"]["refund_request_id"] for m in self.messages() if m["type"] == "refund.request"]


@pytest.fixture
def till(tmp_path: Path, world: World) -> Till:
    folder = tmp_path / "till"
    folder.mkdir()
    return Till(folder, world)


def ids(requests: list[RefundRequest]) -> list[str]:
    return [request.refund_request_id for request in requests]


def take(world: World, path: Path) -> Taken:
    return outbox_files.take(world.database, world.context, path, actor="rescue:li")


def acknowledge(connection: sqlite3.Connection, request: RefundRequest) -> None:
    ack = AppAckMessage(
        terminal_id=TERMINAL,
        refund_request_id=request.refund_request_id,
        kind="refund.request",
        rev=1,
        status=AckStatus.STORED,
        epoch=1,
        at=NOW,
    )
    assert _outbox.ack(connection, ack, NOW) is not None


@pytest.mark.parametrize("version", VERSIONS)
def test_i8_journal_of_every_schema_there_ever_was_is_exported_and_taken_once(
    till: Till, world: World, version: int
) -> None:
    with closing(till.journal(version)) as connection:
        first, second, third = till.commit(connection, 3)
        acknowledge(connection, first)
        _refunds.withdraw(connection, third.refund_request_id, "01", NOW)
    assert till.export() == 0
    assert till.ids() == ids([second, third])
    taken = take(world, till.file)
    assert (taken.is_whole, taken.messages, taken.counts) == (True, 3, {"stored": 3})
    assert world.refund(second.refund_request_id).body == msgspec.to_builtins(second)
    assert "rescued" in world.refund(second.refund_request_id).flags
    assert world.refund(third.refund_request_id).state == "canceled"
    again = take(world, till.file)
    assert (again.is_whole, again.counts) == (True, {"duplicate": 3})
    assert world.submit(second).status is AckStatus.DUPLICATE
    assert len(world.rows(Message)) == 3


def test_journal_of_a_newer_build_is_exported_with_all_that_stands_in_it(
    till: Till, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(till.journal()) as connection:
        [request] = till.commit(connection)
        connection.executescript(
            "ALTER TABLE outbox ADD COLUMN priority INTEGER NOT NULL DEFAULT 7;"
            "ALTER TABLE refunds ADD COLUMN region TEXT NOT NULL DEFAULT 'north';"
            "CREATE TABLE tomorrow (id INTEGER PRIMARY KEY);"
            "PRAGMA user_version = 99;"
        )
        payload = connection.execute("SELECT payload FROM outbox").fetchone()[0]
        newer = payload.replace(b'"request":{', b'"request":{"weather":"rain",', 1)
        connection.execute("UPDATE outbox SET payload = ?", (newer,))
    assert till.export("--json") == 0
    [source] = json.loads(capsys.readouterr().out)["sources"]
    assert (source["schema"], source["messages"], source["unreadable"]) == (99, 1, 0)
    assert till.messages()[0]["request"]["weather"] == "rain"
    assert take(world, till.file).counts == {"stored": 1}
    assert world.refund(request.refund_request_id).state == "reviewing"
    with closing(sqlite3.connect(till.data / "journal.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 99, "nothing was written"


def test_journal_without_columns_that_this_build_knows_gives_what_it_has(till: Till, world: World) -> None:
    with closing(till.journal()) as connection:
        requests = till.commit(connection, 2)
        connection.executescript(
            "DROP INDEX outbox_held; DROP INDEX outbox_open; ALTER TABLE outbox DROP COLUMN status"
        )
    assert till.export() == 0
    assert till.ids() == ids(requests)
    assert take(world, till.file).is_whole


def test_request_whose_outbox_row_is_gone_comes_from_its_own_table(till: Till, world: World) -> None:
    with closing(till.journal()) as connection:
        requests = till.commit(connection, 2)
        connection.execute("DROP TABLE outbox")
    assert till.export() == 0
    assert till.ids() == ids(requests)
    assert take(world, till.file).counts == {"stored": 2}
    assert world.submit(requests[0]).status is AckStatus.DUPLICATE, "the same content as the till would have sent"


def test_everything_is_exported_on_demand(till: Till, world: World) -> None:
    with closing(till.journal()) as connection:
        requests = till.commit(connection, 2)
        acknowledge(connection, requests[0])
    assert till.export("--all") == 0
    assert till.ids() == ids(requests)
    assert take(world, till.file).counts == {"stored": 2}


def test_journal_that_a_daemon_has_open_is_read_with_what_is_still_in_its_wal(till: Till) -> None:
    with closing(till.journal()) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        requests = till.commit(connection, 3)
        assert (till.data / "journal.db-wal").stat().st_size > 0
        assert till.export() == 0
        assert till.ids() == ids(requests)
        till.commit(connection, 1)


def test_card_whose_wal_cannot_be_opened_where_it_lies_is_read_from_a_copy(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect

    def read_only_mount(database: Any, **options: Any) -> sqlite3.Connection:
        if options.get("uri"):
            raise sqlite3.OperationalError("unable to open database file")
        found: sqlite3.Connection = connect(database, **options)
        return found

    with closing(till.journal()) as connection:
        requests = till.commit(connection, 2)
        monkeypatch.setattr("pos_agent.journal.saved_rows.sqlite3.connect", read_only_mount)
        assert till.export() == 0
    assert till.ids() == ids(requests)


def _spoil(path: Path, table: str, *, share: float) -> None:
    """Overwrite the last leaf pages of a table with junk, as a dying card does."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        pages = [
            row[0]
            for row in connection.execute(
                "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno", (table,)
            )
        ]
    with path.open("r+b") as file:
        for page in pages[-max(1, int(len(pages) * share)) :]:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)


def _has_dbstat() -> bool:
    with closing(sqlite3.connect(":memory:")) as connection:
        options = {row[0] for row in connection.execute("PRAGMA compile_options")}
    return "ENABLE_DBSTAT_VTAB" in options


needs_dbstat = pytest.mark.skipif(not _has_dbstat(), reason="this SQLite has no dbstat")


@needs_dbstat
@pytest.mark.parametrize("table", ["outbox", "refunds"])
def test_i8_damaged_journal_gives_every_request_that_one_of_its_tables_still_has(
    till: Till, world: World, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(till.journal()) as connection:
        requests = till.commit(connection, MANY)
    path = till.data / "journal.db"
    _spoil(path, table, share=0.5)
    path.rename(till.data / "journal.corrupt-20261123T040000.db")
    assert till.export("--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["is_whole"] is False
    assert sorted(till.ids()) == sorted(ids(requests)), "each stands in two tables"
    taken = take(world, till.file)
    assert taken.counts == {"stored": MANY}
    assert (taken.is_whole, taken.unreadable > 0) == (False, True), "nobody may think that all of it was readable"


@needs_dbstat
def test_journal_damaged_in_both_tables_gives_the_rest_and_says_so(till: Till) -> None:
    with closing(till.journal()) as connection:
        requests = till.commit(connection, MANY)
    for table in ("outbox", "refunds"):
        _spoil(till.data / "journal.db", table, share=0.3)
    assert till.export() == 1
    assert 0 < len(till.ids()) < MANY
    assert set(till.ids()) < set(ids(requests))


def test_file_that_is_no_database_is_told_and_others_are_exported_all_the_same(
    till: Till, capsys: pytest.CaptureFixture[str]
) -> None:
    (till.data / "journal.corrupt-20261123T040000.db").write_bytes(b"\xa5" * 8192)
    with closing(till.journal()) as connection:
        requests = till.commit(connection)
    assert till.export("--json") == 1
    broken, good = json.loads(capsys.readouterr().out)["sources"]
    assert (broken["unreadable"], good["messages"]) == (None, 1)
    assert till.ids() == ids(requests)


def test_d18_export_works_with_a_configuration_that_keeps_the_till_safe(till: Till) -> None:
    till.write_config("no_such_key = 1")
    with closing(till.journal()) as connection:
        requests = till.commit(connection)
    assert till.export() == 0
    assert till.ids() == ids(requests)


def test_card_of_a_dead_till_is_exported_on_another_machine(till: Till, tmp_path: Path) -> None:
    with closing(till.journal(name="other.db")) as connection:
        requests = till.commit(connection)
    key = tmp_path / "card.pem"
    (till.folder / "device.pem").rename(key)
    assert till.export() == 2, "no key, no file"
    assert not till.file.exists()
    assert till.export("--journal", str(till.data / "other.db"), "--device-key", str(key)) == 0
    assert till.ids() == ids(requests)


def test_message_of_another_terminal_is_not_signed(till: Till) -> None:
    with closing(till.journal()) as connection:
        till.commit(connection, terminal_id="t-shop-02")
    assert till.export() == 1
    assert till.messages() == []


def test_no_journal_at_all_writes_nothing(till: Till, capsys: pytest.CaptureFixture[str]) -> None:
    assert till.export() == 1
    assert not till.file.exists()
    assert "--journal" in capsys.readouterr().err


def test_file_that_cannot_be_written_leaves_nothing_behind(till: Till) -> None:
    with closing(till.journal()) as connection:
        till.commit(connection)
    till.file = till.folder / "nowhere" / "outbox.jsonl"
    assert till.export() == 1


def _exported(till: Till, count: int = 3) -> list[bytes]:
    with closing(till.journal()) as connection:
        till.commit(connection, count)
    assert till.export() == 0
    return till.file.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        (lambda lines: [lines[0].replace(b"A", b"B", 1), *lines[1:]], "forged"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "forged"),
        (lambda lines: lines[1:], "not_ours"),
        (lambda lines: [*lines[:1], *lines], "not_ours"),
        (lambda lines: lines[:-1], "not_ours"),
        (lambda lines: [*lines[:-1], lines[-1][: len(lines[-1]) // 2]], "not_ours"),
        (lambda _lines: [b"[1,2]\n"], "not_ours"),
        (lambda _lines: [], "not_ours"),
        (lambda lines: [b"[" + b" " * 200_000 + b"]\n", *lines], "not_ours"),
    ],
    ids=["changed", "swapped", "cut in front", "doubled", "no end", "half an end", "other file", "empty", "long line"],
)
def test_file_that_is_not_as_it_was_written_is_refused_whole(
    till: Till, world: World, spoil: Any, refused: str
) -> None:
    till.file.write_bytes(b"".join(spoil(_exported(till))))
    taken = take(world, till.file)
    assert (taken.refused, taken.is_whole) == (refused, False)
    assert world.rows(Message) == []


def test_file_signed_by_another_key_or_of_a_till_that_is_not_enrolled_is_refused(till: Till, world: World) -> None:
    _exported(till)
    stranger = outbox_file.Writer(TERMINAL, kid="d1", key=PrivateKey.generate())
    till.file.write_bytes(stranger.trailer(at=NOW, unreadable=0, sources=()))
    assert take(world, till.file).refused == "forged"
    unknown = outbox_file.Writer("t-shop-77", kid="d1", key=PrivateKey.generate())
    till.file.write_bytes(unknown.trailer(at=NOW, unreadable=0, sources=()))
    assert take(world, till.file).refused == "unknown_terminal"


def test_rescue_command_takes_the_file_and_tells_in_both_languages(
    till: Till, world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _exported(till)
    config = tmp_path / "office.toml"
    config.write_text(f'[database]\nurl = "sqlite:///{tmp_path / "world.db"}"\n')
    capsys.readouterr()
    assert office_cli.main(["rescue", str(till.file), "--by", "li", "--config", str(config), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["messages"], told["counts"], told["is_whole"]) == (3, {"stored": 3}, True)
    assert "3 messages, 3 taken" in told["en"]
    assert world.trail(till.ids()[0])[-1].actor == "rescue:li"
    till.file.write_bytes(till.file.read_bytes()[:-40])
    assert office_cli.main(["rescue", str(till.file), "--config", str(config)]) == 1
    assert "不是导出文件" in capsys.readouterr().out
