"""The sale ledger: what cash registers and channels say was sold, imported from CSV or JSON."""

import csv
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from backoffice.store.schema import Merchant, Sale
from pos_agent.domain.money import MAX_AMOUNT_MINOR
from pos_agent.domain.refund import Channel
from pos_agent.errors import RemoteProtocolError
from pos_agent.protocol.limits import refuse_unusable


class SaleRow(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One sale as imported.

    Attributes:
        base_refunded_minor: Refunded before, outside this system.
        operator_no: Who sold it (F8, F14).
        payer: The payer's account or card token as the channel names it; only its keyed hash is stored (F5).
        label: What it is for, in demo data; shown to people.
    """

    sale_id: str
    merchant_id: str
    order_no: str
    channel: Channel
    acquirer_id: str
    paid_at: datetime
    paid_minor: int
    channel_trade_no: str = ""
    base_refunded_minor: int = 0
    currency: str = "CNY"
    account_mask: str = ""
    store: str = ""
    terminal_id: str = ""
    operator_no: str = ""
    payer: str = ""
    is_coupon_offered: bool = False
    is_training: bool = False
    label: str = ""
    lines: list[dict[str, object]] = []


def read_file(path: Path) -> list[SaleRow]:
    """Read a CSV (header = field names; JSON in ``lines``) or JSON (a list) file.

    Raises:
        ValueError: A row is not a sale; says which.
    """
    rows: list[SaleRow] = []
    try:
        for item in _raw_rows(path):
            row = msgspec.convert(item, SaleRow, strict=False)
            _check(row)
            rows.append(row)
    except (ValueError, csv.Error, RecursionError, RemoteProtocolError) as error:
        raise ValueError(f"{path}: sale {len(rows) + 1}: {error}") from error
    return rows


def _raw_rows(path: Path) -> Iterator[object]:
    if path.suffix.lower() == ".json":
        yield from msgspec.json.decode(path.read_bytes(), type=list[object])
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            yield _from_csv(row)


def _from_csv(row: dict[str, str]) -> dict[str, object]:
    given: dict[str, object] = {name: value for name, value in row.items() if value not in ("", None)}
    if "lines" in given:
        given["lines"] = msgspec.json.decode(str(given["lines"]))
    return given


def _check(row: SaleRow) -> None:
    refuse_unusable(row)
    if row.paid_at.tzinfo is None:
        raise ValueError("paid_at needs a zone, such as 2026-11-20T18:32:00+08:00")
    if not 0 < row.paid_minor <= MAX_AMOUNT_MINOR or not 0 <= row.base_refunded_minor <= row.paid_minor:
        raise ValueError("amounts out of range")


def order_no_hash(key: bytes, order_no: str) -> str:
    """Return the keyed hash by which a till asks for a number that might be a payment code (D14)."""
    return hmac.new(key, order_no.encode(), hashlib.sha256).hexdigest() if key else ""


def payer_hash(key: bytes, payer: str) -> str:
    """Return the keyed hash of a payer, apart from those of order numbers; empty without a key or a payer."""
    return hmac.new(key, b"payer\0" + payer.encode(), hashlib.sha256).hexdigest() if key and payer else ""


def store(session: Session, rows: Sequence[SaleRow], *, lookup_key: bytes) -> int:
    """Insert sales; one that is there already is left as it is, except for what may be corrected (label, store).

    Money of a known sale never changes by import: a correction of amounts is a case for people.
    """
    _add_merchants(session, {row.merchant_id for row in rows})
    count = 0
    for row in rows:
        sale = session.scalars(
            select(Sale).where(
                (Sale.sale_id == row.sale_id)
                | ((Sale.merchant_id == row.merchant_id) & (Sale.order_no == row.order_no))
            )
        ).first()
        if sale is not None:
            sale.label, sale.store = row.label or sale.label, row.store or sale.store
            sale.operator_no = row.operator_no or sale.operator_no
            sale.payer_hash = payer_hash(lookup_key, row.payer) or sale.payer_hash
            sale.order_no_hash = order_no_hash(lookup_key, sale.order_no) or sale.order_no_hash
            continue
        fields = {name: getattr(row, name) for name in row.__struct_fields__ if name != "payer"}
        fields["channel"] = row.channel.value
        hashes = {
            "order_no_hash": order_no_hash(lookup_key, row.order_no),
            "payer_hash": payer_hash(lookup_key, row.payer),
        }
        session.add(Sale(**fields, **hashes))
        count += 1
    session.flush()
    return count


def _add_merchants(session: Session, merchant_ids: Iterable[str]) -> None:
    for merchant_id in sorted(merchant_ids):
        if session.get(Merchant, merchant_id) is None:
            session.add(Merchant(merchant_id=merchant_id, name=""))
    session.flush()
