"""A journal with a long history, made by SQL alone: a million commits would take an hour."""

import sqlite3
from contextlib import closing
from pathlib import Path

#: Ids that no test makes: their first digits are 99, not 98.
_ID = "printf('99%020d', n)"
_HISTORY = f"""
INSERT INTO refunds (seq, refund_request_id, reference, tail, amount_minor, created_at, request, state, epoch,
                     state_seq, latest, is_final, was_send_attempted, is_stored)
  WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
  SELECT n, {_ID}, printf('OLD%020d', n), printf('%06d', n % 1000000), amount_minor, created_at, request,
         :state, 1, 2, NULL, :is_closed, 1, :is_closed
  FROM numbers CROSS JOIN refunds WHERE seq = 1;
INSERT INTO outbox (refund_request_id, kind, rev, leaf, payload, status, attempts, created_at)
  WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
  SELECT {_ID}, kind, rev, leaf, payload, :status, 1, created_at
  FROM numbers CROSS JOIN outbox WHERE row_id = 1;
INSERT INTO print_jobs (refund_request_id, kind, seq, copy_no, is_result, document, created_at, outcome)
  WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
  SELECT {_ID}, 'request_merchant', 0, 0, 0, '{{}}', created_at, 'confirmed'
  FROM numbers CROSS JOIN refunds WHERE seq = 1;
INSERT INTO audit (line, at, event, actor, data, head)
  WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
  SELECT (SELECT MAX(line) FROM audit) + n - :first + 1, at, 'operator.signed_in', '01', '{{}}', head
  FROM numbers CROSS JOIN audit WHERE line = 1;
"""


def fill(folder: Path, requests: int, *, is_open: bool = False) -> None:
    """Multiply the first request of a closed journal; the chain counts as checked up to the end.

    Args:
        folder: Of a journal with one request, closed.
        requests: How many requests there are afterwards.
        is_open: They are still to be sent; otherwise they are closed.
    """
    values = {
        "first": 2,
        "last": requests,
        "state": "" if is_open else "succeeded",
        "is_closed": not is_open,
        "status": "sent" if is_open else "acked",
    }
    with closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for statement in filter(str.strip, _HISTORY.split(";")):
            connection.execute(statement, values)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'last_seq'", (str(requests),))
        line, head = connection.execute("SELECT line, head FROM audit ORDER BY line DESC LIMIT 1").fetchone()
        connection.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('audit_checkpoint', ?)", (f"{line}:{head}",)
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
