"""Commands that look: requests, tills, operators, chains; words and JSON, and how they end."""

import json
from pathlib import Path

import pytest

from backoffice.arguments import make_parser
from backoffice.cli import main
from backoffice.signing import make_key_file
from backoffice.store.schema import Anchor, AuditLine
from tests.unit.backoffice.world import START, TERMINAL, World


@pytest.fixture
def config(world: World, tmp_path: Path) -> str:
    path = tmp_path / "backoffice.toml"
    path.write_text(f'[database]\nurl = "{world.database.engine.url}"\n', "utf-8")
    make_key_file(tmp_path / "backoffice.key")
    return str(path)


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(list(arguments))
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_every_command_teaches_in_its_own_help() -> None:
    parser = make_parser()
    todo = [("pos-backoffice", parser)]
    leaves = 0
    while todo:
        name, each = todo.pop()
        inner = [action.choices for action in each._actions if isinstance(action.choices, dict)]
        todo += [(f"{name} {key}", value) for choices in inner for key, value in choices.items()]
        if inner or name.endswith("version"):
            continue
        leaves += 1
        words = each.format_help()
        assert "exit status: 0 done" in words, name
        assert each.description, name
        assert "--json" in words, name
    assert leaves >= 22


def test_requests_list_says_of_each_whether_money_moved(
    world: World, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request = world.request()
    world.submit(request)
    status, out, _ = _run(capsys, "requests", "list", "--config", config)
    assert status == 0
    assert request.refund_request_id in out
    assert "money: no" in out
    status, out, _ = _run(capsys, "requests", "list", "--config", config, "--json", "--find", request.refund_request_id)
    assert status == 0
    assert [row["money_moved"] for row in json.loads(out)["rows"]] == ["no"]


def test_requests_show_has_the_trail_in_both_times(
    world: World, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request_id = world.approved()
    status, out, _ = _run(capsys, "requests", "show", "--config", config, request_id)
    assert status == 0
    assert "2026-11-23 12:00:00 (11-23 04:00 UTC)" in out
    assert "chain whole" in out
    status, out, _ = _run(capsys, "requests", "show", "--config", config, request_id, "--json")
    assert json.loads(out)["summary"]["money_moved"] == "no"


def test_requests_of_an_unknown_view_or_number_end_with_1_and_say_what_there_is(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = _run(capsys, "requests", "list", "--config", config, "--view", "nonsense")
    assert (status, "pending, all, held" in err) == (1, True)
    assert _run(capsys, "requests", "show", "--config", config, "1")[0] == 1


def test_terminal_list_pages_and_narrows(world: World, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    world.enrol("t-shop-02")
    status, out, _ = _run(capsys, "terminal", "list", "--config", config)
    assert status == 0
    assert TERMINAL in out
    assert "2 found" in out
    _, out, _ = _run(capsys, "terminal", "list", "--config", config, "--find", "02", "--json")
    assert [row["terminal_id"] for row in json.loads(out)["rows"]] == ["t-shop-02"]


def test_f14_report_says_when_nothing_names_operators(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = _run(capsys, "report", "operators", "--config", config)
    assert status == 0
    assert "names no operators" in out


def test_i6_verify_checks_chains_and_anchors_and_names_the_difference(
    world: World, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request_id = world.approved()
    assert "no anchor file yet" in _run(capsys, "audit", "verify", "--config", config)[1]
    assert _run(capsys, "audit", "anchor", "--config", config)[0] == 0
    status, out, _ = _run(capsys, "audit", "verify", "--config", config, "--json")
    assert status == 0
    assert [each["heads"] for each in json.loads(out)["anchors"].values()] == [1]
    with world.database.writing() as session:
        session.query(AuditLine).filter(AuditLine.number == 2).delete()
    status, _, err = _run(capsys, "audit", "verify", "--config", config)
    assert status == 1
    assert request_id in err
    assert "anchors:" in err


def test_i6_anchors_signed_by_an_earlier_key_are_checked_when_it_is_named(
    world: World, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.approved()
    _run(capsys, "audit", "anchor", "--config", config)
    (tmp_path / "backoffice.key").unlink()
    old = json.loads(_run(capsys, "keys", "--config", config, "--json")[1])
    assert _run(capsys, "audit", "verify", "--config", config)[0] == 1, "signed by no key that we know"
    assert old["kid"] == "backoffice"


def test_i6_head_on_a_shift_slip_is_the_one_told_or_the_last_told_is_named(
    world: World, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "ab" * 32
    with world.database.writing() as session:
        session.add(Anchor(terminal_id=TERMINAL, head=head, source="sync", line=7, seq=1, at=START))
    printed = " ".join(head[start : start + 4] for start in range(0, 64, 4))
    compare = ("audit", "compare", "--config", config, "--terminal", TERMINAL)
    status, out, _ = _run(capsys, *compare, "--head", printed)
    assert status == 0
    assert f"the same head {head}, line 7" in out
    status, _, err = _run(capsys, *compare, "--head", "cd" * 32)
    assert status == 1
    assert f"it told last head {head} of line 7" in err
    assert _run(capsys, *compare, "--head", "not a head")[0] == 1
    assert _run(capsys, "audit", "compare", "--config", config)[0] == 1
