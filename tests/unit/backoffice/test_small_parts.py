"""Configuration, sales files, outbox, command line, signing key."""

import getpass
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backoffice import cli, deeds, demo, outbox, sales
from backoffice.config import load_config
from backoffice.execution.simulated import SimulatedAdapter
from backoffice.serve import make_adapters
from backoffice.signing import load_signer, make_key_file
from backoffice.store.database import open_database
from pos_agent.domain.refund import Channel
from pos_agent.errors import ConfigFileError, ConfigValueError
from pos_agent.protocol.codec import decode_down
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey
from pos_agent.protocol.envelope import DOWN_TYPE, unseal
from pos_agent.protocol.messages import BackOfficePresenceMessage
from tests.unit.backoffice.world import START, World


def _config(folder: Path, text: str) -> Path:
    path = folder / "backoffice.toml"
    path.write_text(text)
    return path


def test_config_resolves_files_beside_itself(tmp_path: Path) -> None:
    config = load_config(_config(tmp_path, '[signing]\nkey_file = "k"\n[broker]\nca_file = "/etc/ca"\n'))
    assert config.signing.key_file == str(tmp_path / "k")
    assert config.broker.ca_file == "/etc/ca"
    assert config.database.url == f"sqlite:///{tmp_path}/backoffice.db"


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [
        ("[servr]\n", "servr", "server"),
        ("[server]\nprot = 1\n", "server.prot", "server.port"),
        ("[acquirers.a]\nurll = 'x'\n", "acquirers.a.urll", "acquirers.a.url"),
        ("[server]\nport = 'x'\n", "server.port", ""),
        ("[review]\ndual_control = 'maybe'\n", "review.dual_control", ""),
        ("[server]\ntime_zone = 'Mars/Base'\n", "server.time_zone", ""),
    ],
)
def test_config_with_a_bad_key_is_refused_by_name(tmp_path: Path, text: str, key: str, hint: str) -> None:
    with pytest.raises(ConfigValueError) as caught:
        load_config(_config(tmp_path, text))
    assert caught.value.key == key
    assert hint in caught.value.hint


def test_config_missing_or_not_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError):
        load_config(tmp_path / "none.toml")
    with pytest.raises(ConfigFileError):
        load_config(_config(tmp_path, "= ="))


def test_adapters_are_made_for_acquirers_that_have_one(world: World) -> None:
    found = make_adapters(world.config)
    assert list(found) == ["simulated"]
    assert isinstance(found["simulated"], SimulatedAdapter)


def test_demo_sales_have_the_numbers_of_their_channels() -> None:
    rows = demo.demo_sales(START)
    assert len({row.order_no for row in rows}) == len({row.sale_id for row in rows}) == len(rows)
    wechat = rows[0]
    assert (wechat.channel, len(wechat.order_no), len(wechat.channel_trade_no)) == (Channel.WECHAT, 31, 28)
    assert wechat.channel_trade_no.startswith("42")
    alipay = next(row for row in rows if row.channel is Channel.ALIPAY)
    assert (len(alipay.channel_trade_no), alipay.channel_trade_no[:2]) == (28, "20")
    ambiguous = next(row for row in rows if len(row.order_no) == 17)
    assert ambiguous.order_no[:6] == "261121"
    assert {Channel.UNIONPAY, Channel.CARD} <= {row.channel for row in rows}
    assert any((START - row.paid_at).days >= 366 for row in rows)
    assert any(0 < row.base_refunded_minor < row.paid_minor for row in rows)
    assert any(row.paid_minor == 1000 for row in rows)
    assert any(row.paid_minor >= 50_000 for row in rows)


def test_sales_file_csv_and_json_read_the_same(tmp_path: Path) -> None:
    fields = {
        "sale_id": "s1",
        "merchant_id": "M1",
        "order_no": "0012345678",
        "channel": "card",
        "acquirer_id": "a",
        "paid_at": "2026-11-20T18:32:00+08:00",
        "paid_minor": "1200",
    }
    csv_file, json_file = tmp_path / "sales.csv", tmp_path / "sales.json"
    csv_file.write_text(",".join(fields) + ",label\n" + ",".join(fields.values()) + ",\n")
    json_file.write_text(json.dumps([{**fields, "paid_minor": 1200}]))
    assert sales.read_file(csv_file) == sales.read_file(json_file)
    assert sales.read_file(csv_file)[0].order_no == "0012345678"


@pytest.mark.parametrize(
    "change", [{"paid_minor": 0}, {"paid_at": "2026-11-20T18:32:00"}, {"channel": "gold"}, {"paid": 1}]
)
def test_sales_file_with_a_bad_row_names_it(tmp_path: Path, change: dict[str, object]) -> None:
    row = {
        "sale_id": "s1",
        "merchant_id": "M1",
        "order_no": "A1",
        "channel": "card",
        "acquirer_id": "a",
        "paid_at": "2026-11-20T18:32:00Z",
        "paid_minor": 1,
    }
    path = tmp_path / "sales.json"
    path.write_text(json.dumps([row, {**row, **change}]))
    with pytest.raises(ValueError, match="sale 2"):
        sales.read_file(path)


def test_sales_import_again_never_changes_money(world: World) -> None:
    world.add_sale(order_no="A1", paid_minor=100, sale_id="a1")
    world.add_sale(order_no="A1", paid_minor=999, sale_id="a1", label="corrected")
    sale = world.sale("a1")
    assert (sale.paid_minor, sale.label) == (100, "corrected")


def test_outbox_row_is_offered_later_and_later_until_acked_or_hurried(world: World) -> None:
    request = world.request()
    world.submit(request)

    def due() -> int:
        with world.database.writing() as session:
            return len(outbox.take_due(session, world.context.now))

    offered = [due()]
    for seconds in (9, 2, 19, 2):
        world.later(seconds=seconds)
        offered.append(due())
    assert offered == [0, 0, 1, 0, 1], "its first state went with the ack"
    with world.database.writing() as session:
        outbox.hurry(session, world.context.now, request.terminal_id)
    assert due() == 1
    with world.database.reading() as session:
        assert outbox.next_due_s(session, world.context.now) == outbox.FIRST_PAUSE_S


def test_signing_key_is_made_once_private_and_signs_what_tills_verify(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    public = make_key_file(path)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        make_key_file(path)
    message = BackOfficePresenceMessage(is_online=True, instance="i", conn_seq=1, epoch=1, at=datetime.now(UTC))  # noqa: TID251
    keys = {"bo": PublicKey.from_base64(public)}
    payload, kid = unseal(load_signer(path, "bo").seal(message), payload_type=DOWN_TYPE, keys=keys)
    assert (decode_down(payload), kid) == (message, "bo")


def test_signing_key_missing_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="pos-backoffice keys"):
        load_signer(tmp_path / "none", "bo")


def test_terminal_add_writes_down_who_added_a_till_and_who_gave_it_another_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """I6: whose key it is decides whose requests are believed."""
    config = str(_config(tmp_path, ""))
    till = ("--config", config, "--id", "t-one", "--merchant", "M1", "--device-kid")
    first, second = (PrivateKey.generate().public_key().base64 for _ in range(2))
    assert cli.main(["init", "--config", config]) == 0
    for kid, key in (("d1", first), ("d1", first), ("d2", second)):
        assert cli.main(["terminal", "add", *till, kid, "--device-key", key]) == 0
    capsys.readouterr()
    assert cli.main(["audit", "verify", "--config", config]) == 0
    assert "2 deeds of the office" in capsys.readouterr().out
    with open_database(load_config(Path(config)).database.url) as database, database.reading() as session:
        told = [(one.actor, one.after, one.detail) for one in deeds.newest(session, limit=9)]
    me = f"cli:{getpass.getuser()}"
    assert told == [(me, "key_given", "t-one of M1, key d2"), (me, "till_added", "t-one of M1")]


def test_command_line_teaches_and_tells_faults_from_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = str(_config(tmp_path, ""))
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    assert "first steps" in capsys.readouterr().out
    assert cli.main(["init", "--config", str(tmp_path / "none.toml")]) == 2
    assert cli.main(["init", "--config", config]) == 0
    assert cli.main(["terminal", "deny", "--config", config, "--id", "t-none"]) == 1
    assert "no till t-none" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: PTH123, SIM115 - closed at the end of the test
    try:
        assert cli.main(["person", "add", "--config", config, "--login", "a", "--role", "viewer"]) == 1
    finally:
        __import__("sys").stdin.close()
    assert "at least" in capsys.readouterr().err
    assert cli.main(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["version"]
