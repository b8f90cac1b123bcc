"""Row 9: how many requests a second the back office turns into durable, answered decisions, in one process."""

import tempfile
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from backoffice import enrolment, sales
from backoffice.clock import system_now
from backoffice.config import AcquirerConfig, Config
from backoffice.ingest.context import Context, Incoming
from backoffice.ingest.receiver import Receiver
from backoffice.link import BATCH
from backoffice.signing import Signer
from backoffice.store.database import Database, upgrade
from pos_agent.domain.identifiers import make_refund_request_id
from pos_agent.domain.refund import Channel, Entry, OriginalReference, ReferenceKind, RefundRequest, RefundType
from pos_agent.protocol.codec import encode
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import UP_TYPE, seal
from pos_agent.protocol.messages import AckStatus, AppAckMessage, RefundRequestMessage
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.bench import floors
from tests.bench.measure import Measured, median

_MERCHANT = "M1"
_TILLS = 8
_NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def row(folder: Path, requests: int) -> Measured:
    """Row 9: sealed requests of several tills, in batches as the link takes them, to signed answers."""
    floor = 1 / median(floors.wal_commit_times(folder, 400))
    rate = requests / _ingest_s(f"sqlite:///{folder / 'ingest.db'}", requests)
    return Measured(
        number=9,
        what="back office: requests to durable decision",
        figure=f"{rate:.0f}/s in batches of {BATCH}, n={requests}",
        floor=f"WAL FULL commits {floor:.0f}/s",
        ratio=rate / floor,
        budget=">= 0.2x",
        is_within=rate / floor >= 0.2,
    )


def _ingest_s(url: str, count: int) -> float:
    """Return the seconds from the first sealed request to the last signed answer; every one was stored."""
    upgrade(url)
    database = Database(url, pool=1)
    try:
        config = Config(acquirers={"simulated": AcquirerConfig(url="http://x")})
        receiver = Receiver(database, Context(config, system_now, lambda: "token"))
        keys = enrol(database, count)
        incoming = [sealed(number, keys) for number in range(count)]
        signer = Signer(PrivateKey.generate(), "backoffice")
        started = time.perf_counter()
        stored = 0
        for first in range(0, count, BATCH):
            for reply in receiver.receive(incoming[first : first + BATCH]):
                signer.seal(reply.message)
                stored += isinstance(reply.message, AppAckMessage) and reply.message.status is AckStatus.STORED
        elapsed = time.perf_counter() - started
        assert stored == count
        return elapsed
    finally:
        database.close()


def enrol(database: Database, sale_count: int) -> dict[str, PrivateKey]:
    """Make tills, operators and sales known; return the tills' device keys."""
    keys = {f"t-bench-{number}": PrivateKey.generate() for number in range(_TILLS)}
    with database.writing() as session:
        for terminal_id, key in keys.items():
            raw = key.public_key().raw
            enrolment.add_terminal(
                session,
                terminal_id=terminal_id,
                merchant_id=_MERCHANT,
                merchant_name="Shop",
                device_kid="d1",
                device_key=b64encode(raw).decode(),
            )
        for number in range(_TILLS):
            enrolment.map_operator(
                session, merchant_id=_MERCHANT, operator_no=f"{number:02}", person_id=f"p{number}", name=f"P{number}"
            )
        rows = [_sale(number) for number in range(sale_count)]
        sales.store(session, rows, lookup_key=b"")
    return keys


def _sale(number: int) -> sales.SaleRow:
    return sales.SaleRow(
        sale_id=f"s-{number}",
        merchant_id=_MERCHANT,
        order_no=_order_no(number),
        channel=Channel.WECHAT,
        acquirer_id="simulated",
        paid_at=_NOW - timedelta(days=1),
        paid_minor=12_800,
        channel_trade_no=f"4200{number:024}",
    )


def _order_no(number: int) -> str:
    return f"8202611221832{number:018}"


def sealed(number: int, keys: dict[str, PrivateKey]) -> Incoming:
    """Return request `number` as the broker delivers it."""
    till = number % _TILLS
    terminal_id = f"t-bench-{till}"
    request = RefundRequest(
        refund_request_id=make_refund_request_id(number + 1),
        terminal_id=terminal_id,
        merchant_id=_MERCHANT,
        operator_no=f"{till:02}",
        created_at=_NOW + timedelta(seconds=number * 20),
        is_clock_trusted=True,
        boot_id="b1",
        entry=Entry.SCANNED,
        original_reference=OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, _order_no(number)),
        reference_tail=_order_no(number)[-6:],
        channel=Channel.WECHAT,
        refund_type=RefundType.FULL,
        amount_minor=12_800,
        currency="CNY",
        reason_code="R01",
        policy_version="p1",
        seq=number // _TILLS + 1,
        sale_id=f"s-{number}",
        paid_minor=12_800,
        audit_head=sha256(f"{till} {number}".encode()).hexdigest(),
    )
    message = RefundRequestMessage(terminal_id=terminal_id, request=request)
    data = seal(encode(message), payload_type=UP_TYPE, kid="d1", key=keys[terminal_id])
    return Incoming(terminal_topic(terminal_id, Leaf.UP_REFUND), data)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pa-bench", dir="/tmp") as name:
        print(row(Path(name), 2000))
