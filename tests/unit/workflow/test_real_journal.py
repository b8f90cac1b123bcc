"""The workflow on the real journal: one refund is durable, survives a restart, and holds no secret (I7, I8)."""

from pathlib import Path

import pytest

from pos_agent.domain.slip import SlipKind, Text
from pos_agent.journal.store import Journal
from tests.fakes.samples import WECHAT_ORDER, make_sale
from tests.unit.workflow.rig import Till, running

PAY_CODE = "134567890123456789"
PIN = "8642097531"


async def test_refund_on_the_real_journal_is_durable_and_no_payment_code_or_pin_is_in_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    till = Till()
    till.lookup.sales[WECHAT_ORDER] = make_sale()
    journal = await Journal.open(tmp_path, terminal_id="t-1", boot_id="boot1", clock=till.clock)
    try:
        await journal.put_operator(operator_no="01", person_id="p01", name="01", role="cashier", pin_hash="x")
        till.use(journal)
        till.pins.people["01"] = (PIN, "cashier")
        async with running(till):
            await till.press("0", "1", "ENTER", *PIN, "ENTER")
            await till.wait_for(lambda: till.state == "MENU")
            await till.scan(PAY_CODE)
            await till.wait_for(lambda: till.state == "PAY_CODE")
            await till.press("CLEAR", *PAY_CODE, "ENTER")
            await till.wait_for(lambda: till.state == "PAY_CODE" and "付款码" in till.text)
            await till.scan(WECHAT_ORDER)
            await till.wait_for(lambda: till.state == "SALE")
            await till.press("ENTER", "1", "ENTER")
            await till.wait_for(lambda: till.state == "RESULT")
        kept = await journal.newest_refunds(5)
        assert [record.request.amount_minor for record in kept] == [12800]
        assert (await journal.outbox_counts()).queued == 1
        assert await journal.unfinished_print_jobs() == 2
        assert await journal.load_draft() is None
    finally:
        await journal.close()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert PAY_CODE.encode() not in path.read_bytes(), path.name
            assert PIN.encode() not in path.read_bytes(), path.name


async def test_i6_shift_closed_on_the_real_journal_queues_a_slip_with_the_chain_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POS_AGENT_ALLOW_VOLATILE", "1")
    till = Till()
    journal = await Journal.open(tmp_path, terminal_id="t-1", boot_id="boot1", clock=till.clock)
    try:
        await journal.put_operator(operator_no="01", person_id="p01", name="01", role="cashier", pin_hash="x")
        till.use(journal)
        till.pins.people["01"] = (PIN, "cashier")
        async with running(till):
            await till.press("FN", "8")
            await till.press("CLEAR", "0", "1", "ENTER", *PIN, "ENTER")
            await till.wait_for(lambda: till.state == "MENU")
            await till.press("FN", "8")
            await till.wait_for(lambda: till.state == "SHIFT")
            await till.press("ENTER")
            await till.wait_for(lambda: till.state == "MENU")
        job = await journal.next_print_job(with_results=False)
        assert job is not None
        assert job.document.kind is SlipKind.SHIFT
        assert await journal.unfinished_print_jobs() == 1
        assert job.document.blocks == (Text((await journal.audit_heads())[1]),)
    finally:
        await journal.close()
