"""The list of tills: 10,000 of them, filtered and paged from one snapshot."""

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert

from backoffice.store.schema import Anchor, OutboxRow, Terminal
from backoffice.web import fleet
from tests.unit.backoffice.world import MERCHANT, START, TERMINAL, World

pytestmark = pytest.mark.slow

TILLS = 10_000
#: What a page may take on the slowest machine that runs the tests, seconds.
LIMIT_S = 0.3


@pytest.fixture
def many(world: World) -> World:
    rows: list[dict[str, Any]] = [
        {
            "terminal_id": f"t-shop-{number:05d}",
            "merchant_id": MERCHANT,
            "device_keys": {},
            "is_online": number % 10 != 0,
            "is_suspect": number % 1000 == 7,
            "agent_version": f"0.{number % 3}.0",
            "last_seen_at": START - timedelta(minutes=number),
            "last_seq": 3 if number in (1, 7) else 0,
        }
        for number in range(1, TILLS + 1)
    ]
    heads = [
        {"terminal_id": row["terminal_id"], "head": f"{n:064x}", "source": "sync", "line": n, "seq": n, "at": START}
        for row in rows
        for n in (1, 2)
    ]
    with world.database.writing() as session:
        session.execute(insert(Terminal), rows)
        session.execute(insert(Anchor), heads)
        session.add(
            OutboxRow(
                refund_request_id="9" * 22,
                terminal_id="t-shop-00001",
                epoch=1,
                seq=1,
                payload=b"",
                next_at=START,
                created_at=START,
            )
        )
    return world


def test_each_page_of_10000_tills_is_quick_and_takes_few_statements(many: World) -> None:
    statements: list[str] = []
    event.listen(many.database.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    for query in ({}, {"number": 200}, {"view": "problems"}, {"words": "0777"}, {"sort": "seen"}, {"version": "0.1.0"}):
        times = []
        for _ in range(5):
            statements.clear()
            with many.database.reading() as session:
                began = time.perf_counter()
                found = fleet.fleet(session, **query)
                times.append(time.perf_counter() - began)
        assert found.rows, query
        assert len(found.rows) <= fleet.PAGE
        assert len(statements) < 12, "the number of statements does not grow with the tills"
        assert min(times) < LIMIT_S, f"{query}: {min(times):.3f} s"


def test_pages_hold_each_till_once(many: World) -> None:
    with many.database.reading() as session:
        pages = range(1, fleet.fleet(session, limit=900).pages + 1)
        seen = [row.terminal_id for page in pages for row in fleet.fleet(session, number=page, limit=900).rows]
        counts = fleet.fleet(session).counts
    assert len(seen) == len(set(seen)) == TILLS + 1
    assert (counts["all"], counts["offline"]) == (TILLS + 1, TILLS // 10 + 1)


def test_problems_are_named(many: World) -> None:
    with many.database.reading() as session:
        rows = {row.terminal_id: row for row in fleet.fleet(session, view="problems").rows}
    assert len(rows) == 11, "ten copies, one with words that wait for it"
    assert rows["t-shop-00007"].problems == ["suspect", "missing"]
    assert rows["t-shop-00001"].problems == ["missing", "undelivered"]
    assert (rows["t-shop-00001"].undelivered, rows["t-shop-00001"].missing) == (1, 3)
    assert (rows["t-shop-00007"].audit_lines, rows["t-shop-00007"].audit_head) == (2, f"{2:064x}")


def test_silent_longest_come_first_and_never_seen_before_them(many: World) -> None:
    with many.database.reading() as session:
        rows = fleet.fleet(session, sort="seen").rows
    assert [row.last_seen_at for row in rows[:2]] == [None, START - timedelta(minutes=TILLS)]


def test_wildcards_of_a_search_mean_themselves(many: World) -> None:
    with many.database.reading() as session:
        assert fleet.fleet(session, words="%").total == 0
        assert fleet.fleet(session, words="shop-0000").total == 9
        assert fleet.fleet(session, words="shop-0000", view="offline").total == 0


def test_tills_are_found_in_either_case_on_either_database(world: World) -> None:
    for words in ("T-SHOP", MERCHANT.lower()):
        with world.database.reading() as session:
            assert [row.terminal_id for row in fleet.fleet(session, words=words).rows] == [TERMINAL]
