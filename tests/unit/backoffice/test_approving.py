"""Approval of a till's question by QR code, and what becomes of it when the request comes (trust.md 17, ADR 0024)."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backoffice import approving
from backoffice.approving import Asked
from backoffice.enrolment import mark_person, mark_terminal
from backoffice.refunds import set_epoch
from backoffice.review import Actor, DecisionError, Shown, StaleError
from backoffice.signing import make_key_file, public_key_of
from backoffice.store.approval_tables import OfflineApproval
from backoffice.store.schema import Account, Decision
from pos_agent.domain.approval import ApprovalAnswer, ApprovalQuestion
from pos_agent.domain.refund import OriginalReference, ReferenceKind, RefundRequest, RemoteApproval
from pos_agent.i18n.backoffice import WORDS
from pos_agent.protocol import approval as codes
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.messages import AckStatus
from tests.unit.backoffice.test_web import Browser, browser
from tests.unit.backoffice.world import ORDER, TERMINAL, World

pytestmark = pytest.mark.slow

__all__ = ["browser"]
NONCE = "0123456789abcdef"
WANG = Actor("wang", "wang", "manager")


@pytest.fixture(autouse=True)
def _signing(world: World, tmp_path: Path) -> None:
    world.config.signing.key_file = str(tmp_path / "office.pem")
    make_key_file(tmp_path / "office.pem")


def question_of(request: RefundRequest, **fields: Any) -> ApprovalQuestion:
    values: dict[str, Any] = {
        "terminal_id": request.terminal_id,
        "boot_id": request.boot_id,
        "refund_request_id": request.refund_request_id,
        "nonce": NONCE,
        "amount_minor": request.amount_minor,
        "currency": request.currency,
        "operator_no": request.operator_no,
        "reason_code": request.reason_code,
        "reference": request.original_reference,
        "sale_id": request.sale_id or "",
    }
    return ApprovalQuestion(**{**values, **fields})


def asked(world: World, request: RefundRequest, *, key: PrivateKey | None = None, **fields: Any) -> str:
    signing = key or world.keys[request.terminal_id]
    return codes.write_question(question_of(request, **fields), kid="d1", key=signing)


def look(world: World, code: str, actor: Actor = WANG) -> Asked:
    with world.database.reading() as session:
        return approving.look(session, world.context, actor, code)


def approve(world: World, code: str, actor: Actor = WANG, shown: Shown | None = None) -> ApprovalAnswer:
    given = shown or look(world, code, actor).shown
    with world.database.writing() as session:
        text = approving.approve(session, world.context, actor, code, given)
    key = public_key_of(Path(world.config.signing.key_file))
    return codes.read_answer(text, keys={world.config.signing.kid: key})


def with_approval(request: RefundRequest, person_id: str = "wang", nonce: str = NONCE) -> RefundRequest:
    return msgspec.structs.replace(request, approval=RemoteApproval(person_id, nonce))


async def test_i1_refund_approved_by_code_is_counted_at_ingest_and_paid_once(world: World) -> None:
    request = world.request(sale_id="s-000001", flags=("over_limit",))
    answer = approve(world, asked(world, request))
    assert (answer.terminal_id, answer.nonce, answer.amount_minor) == (TERMINAL, NONCE, 12800)
    assert (answer.refund_request_id, answer.person_id) == (request.refund_request_id, "wang")
    claimed = with_approval(request)
    assert world.submit(claimed).status is AckStatus.STORED
    refund = world.refund(request.refund_request_id)
    assert (refund.state, "approved_by_code" in refund.flags) == ("approved", True)
    assert [(one.person_id, one.kind) for one in world.rows(Decision)] == [("wang", "approve")]
    await world.run_until(request.refund_request_id, "succeeded")
    assert world.submit(claimed).status is AckStatus.DUPLICATE
    assert list(world.adapter.moved.values()) == [12800]


def test_approval_means_nothing_before_the_request_is_here(world: World) -> None:
    request = world.request(sale_id="s-000001")
    approve(world, asked(world, request))
    assert world.rows(Decision) == []
    world.submit(request)
    assert world.refund(request.refund_request_id).state == "reviewing", "the till used a PIN: nothing was claimed"


def test_approving_again_gives_the_same_answer_and_another_person_is_told(world: World) -> None:
    code = asked(world, world.request(sale_id="s-000001"))
    assert approve(world, code) == approve(world, code)
    assert look(world, code, world.actor()).given_by == "Wang"
    with pytest.raises(DecisionError) as caught:
        approve(world, code, world.actor())
    assert caught.value.code == "approval_taken"


def test_d9_approval_on_sums_that_changed_meanwhile_is_refused(world: World) -> None:
    code = asked(world, world.request(sale_id="s-000001", amount_minor=1000))
    shown = look(world, code).shown
    world.submit(world.request(sale_id="s-000001", amount_minor=500))
    with pytest.raises(StaleError):
        approve(world, code, shown=shown)
    assert world.rows(OfflineApproval) == []


def test_d9_approval_does_not_count_if_the_sale_changed_before_the_request_came(world: World) -> None:
    request = world.request(sale_id="s-000001", amount_minor=1000)
    approve(world, asked(world, request))
    world.submit(world.request(sale_id="s-000001", amount_minor=500))
    world.submit(with_approval(request))
    refund = world.refund(request.refund_request_id)
    assert (refund.state, "approved_by_code" in refund.flags) == ("reviewing", True)
    assert "does not count" in world.trail(request.refund_request_id)[-1].detail


def test_i3_level_above_needs_another_person_than_the_one_who_approved_by_code(world: World) -> None:
    world.config.review.finance_from_minor = 10_000
    request = world.request(sale_id="s-000001")
    assert look(world, asked(world, request)).levels == 2
    approve(world, asked(world, request))
    world.submit(with_approval(request))
    assert world.refund(request.refund_request_id).state == "reviewing"
    with pytest.raises(DecisionError) as caught:
        world.decide(request.refund_request_id, "approve", who=WANG)
    assert caught.value.code == "same_approver"
    assert world.decide(request.refund_request_id, "approve", who=world.actor()).state == "approved"


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"approval": RemoteApproval("wang", "fedcba9876543210")}, "approval_differs"),
        ({"approval": RemoteApproval("li", NONCE)}, "approval_differs"),
        ({"amount_minor": 12799}, "approval_differs"),
        ({"boot_id": "b2"}, "approval_differs"),
        ({"operator_no": "02"}, "approval_differs"),
        ({"sale_id": None}, "approval_differs"),
    ],
)
def test_claim_that_is_not_what_was_approved_is_held(world: World, change: dict[str, Any], flag: str) -> None:
    request = world.request(sale_id="s-000001")
    approve(world, asked(world, request))
    world.submit(msgspec.structs.replace(with_approval(request), **change))
    refund = world.refund(request.refund_request_id)
    assert (refund.state, flag in refund.flags, "approved_by_code" in refund.flags) == ("held", True, False)


def test_claim_of_an_approval_that_nobody_gave_is_held(world: World) -> None:
    request = with_approval(world.request(sale_id="s-000001"))
    world.submit(request)
    refund = world.refund(request.refund_request_id)
    assert (refund.state, refund.flags) == ("held", ["approval_unknown"])


def test_i3_maker_cannot_answer_the_own_question(world: World) -> None:
    world.add_person("zhang", "manager")
    code = asked(world, world.request(sale_id="s-000001"))
    for act in (look, approve):
        with pytest.raises(DecisionError) as caught:
            act(world, code, Actor("zhang", "zhang", "manager"))
        assert caught.value.code == "self_approval"


def test_i3_operator_who_turns_out_to_be_the_approver_is_held(world: World) -> None:
    request = world.request(sale_id="s-000001", operator_no="07")
    approve(world, asked(world, request))
    world.map_operator("07", "wang")
    world.submit(with_approval(request))
    refund = world.refund(request.refund_request_id)
    assert (refund.state, refund.flags) == ("held", ["approval_self"])


@pytest.mark.parametrize("what", ["role", "person"])
def test_approver_who_may_not_any_more_is_held(world: World, what: str) -> None:
    request = world.request(sale_id="s-000001")
    approve(world, asked(world, request))
    with world.database.writing() as session:
        if what == "person":
            mark_person(session, "wang", is_active=False)
        else:
            account = session.get(Account, "wang")
            assert account is not None
            account.role = "viewer"
    world.submit(with_approval(request))
    refund = world.refund(request.refund_request_id)
    assert (refund.state, refund.flags) == ("held", ["approval_role"])


def test_viewer_may_not_answer(world: World) -> None:
    with pytest.raises(DecisionError) as caught:
        look(world, asked(world, world.request()), Actor("v", "v", "viewer"))
    assert (caught.value.code, caught.value.status) == ("role", 403)


def test_question_that_cannot_be_believed_is_refused_by_name(world: World) -> None:
    request = world.request(sale_id="s-000001")
    elsewhere = msgspec.structs.replace(request, terminal_id="t-shop-77")
    wrong = {
        "approval_forged": asked(world, request, key=PrivateKey.generate()),
        "approval_unknown_terminal": asked(world, elsewhere, key=world.keys[TERMINAL]),
        "approval_not_ours": "134567890123456789",
    }
    for expected, code in wrong.items():
        with pytest.raises(DecisionError) as caught:
            look(world, code)
        assert caught.value.code == expected
        assert f"error.{expected}" in WORDS
    with world.database.writing() as session:
        mark_terminal(session, TERMINAL, is_denied=True)
    with pytest.raises(DecisionError) as caught:
        look(world, asked(world, request))
    assert caught.value.code == "approval_denied_terminal"


@pytest.mark.parametrize(
    "fields",
    [
        {"amount_minor": 0},
        {"amount_minor": -1},
        {"amount_minor": 2**40},
        {"refund_request_id": "9800000000000000000000"},
        {"nonce": "n" * 65},
        {"boot_id": "b" * 65},
        {"operator_no": "0" * 17},
        {"currency": "CNYX"},
        {"sale_id": "s" * 129},
    ],
)
def test_question_with_values_that_no_request_can_have_is_refused(world: World, fields: dict[str, Any]) -> None:
    with pytest.raises(DecisionError) as caught:
        look(world, asked(world, world.request(), **fields))
    assert caught.value.code == "approval_not_ours"


def test_question_whose_request_is_here_already_is_refused(world: World) -> None:
    request = world.request(sale_id="s-000001")
    world.submit(request)
    with pytest.raises(DecisionError) as caught:
        look(world, asked(world, request))
    assert caught.value.code == "approval_spent"


def test_nothing_is_approved_while_a_backup_is_restored(world: World) -> None:
    with world.database.writing() as session:
        set_epoch(session, 2, is_restoring=True)
    with pytest.raises(DecisionError) as caught:
        look(world, asked(world, world.request()))
    assert caught.value.code == "restoring"


def test_i2_more_than_is_left_is_not_approved(world: World) -> None:
    code = asked(world, world.request(sale_id="s-000001", amount_minor=12801))
    assert look(world, code).refusal == "over_refundable"
    with pytest.raises(DecisionError) as caught:
        approve(world, code)
    assert caught.value.code == "over_refundable"


def test_question_without_a_look_up_finds_its_sale_by_number_and_an_unknown_one_waits(world: World) -> None:
    known = world.request()
    assert look(world, asked(world, known)).sums.paid_minor == 12800
    unknown = world.request(original_reference=OriginalReference(ReferenceKind.MERCHANT_ORDER_NO, "X" * 20))
    found = look(world, asked(world, unknown))
    assert (found.sale, found.shown) == (None, Shown(0))
    approve(world, asked(world, unknown))
    world.submit(with_approval(unknown))
    assert world.refund(unknown.refund_request_id).state == "reviewing"
    approve(world, asked(world, known))
    world.submit(with_approval(known))
    assert world.refund(known.refund_request_id).state == "approved"


def _fields(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))


async def _csrf(browser: Browser) -> str:
    return _fields((await browser.client.get("/approve")).text)["csrf"]


async def test_page_shows_the_question_and_gives_the_answer_as_a_code(world: World, browser: Browser) -> None:
    await browser.sign_in("wang")
    request = world.request(sale_id="s-000001")
    code = asked(world, request)
    shown = await browser.client.post(
        "/approve", data={"csrf": await _csrf(browser), "code": f"{code[:50]}\n{code[50:]}"}
    )
    assert shown.status_code == 200
    for words in ("￥128.00", TERMINAL, ORDER, request.refund_request_id[-6:], "Zhang"):
        assert words.lower() in shown.text.lower(), words
    fields = _fields(shown.text.split('action="/approve/answer"')[1])
    done = await browser.client.post("/approve/answer", data=fields)
    assert done.status_code == 200
    answer = re.search(r"PA1\.[\w-]+", done.text)
    assert answer is not None
    key = public_key_of(Path(world.config.signing.key_file))
    read = codes.read_answer(answer.group(), keys={world.config.signing.kid: key})
    assert (read.nonce, read.person_id) == (NONCE, "wang")
    assert "<svg" in done.text
    assert "script" not in done.text.split("<svg")[1].split("</svg>")[0]
    assert _decoded(done.text) == answer.group()


def _decoded(html: str) -> str:
    """Read the drawn code as a camera would: the SVG's squares as a picture."""
    import zxingcpp
    from PIL import Image

    size_text = re.search(r'viewBox="0 0 (\d+) ', html)
    assert size_text is not None
    size = int(size_text.group(1))
    picture = Image.new("L", (size, size), 255)
    for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", html):
        picture.putpixel((int(x), int(y)), 0)
    [found] = zxingcpp.read_barcodes(picture.resize((size * 4, size * 4), Image.Resampling.NEAREST))
    return str(found.text)


async def test_page_refuses_without_csrf_without_sign_in_and_a_payment_code(
    world: World, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    code = asked(world, world.request(sale_id="s-000001"))
    assert (await browser.client.post("/approve", data={"code": code})).headers["location"] == "/login"
    assert (await browser.client.get("/approve")).headers["location"] == "/login"
    await browser.sign_in("wang")
    assert (await browser.client.post("/approve", data={"code": code})).status_code == 403
    sums = {"paid_minor": "12800", "refunded_minor": "0", "reserved_minor": "0"}
    assert (await browser.client.post("/approve/answer", data={"code": code, **sums})).status_code == 403
    data = {"csrf": await _csrf(browser), "code": "134567890123456789"}
    refused = await browser.client.post("/approve", data=data)
    assert refused.status_code == 422
    assert WORDS["error.approval_not_ours"][0] in refused.text
    assert "134567890123456789" not in refused.text + caplog.text
    assert world.rows(OfflineApproval) == []


async def test_page_shows_the_sums_of_now_when_the_sale_changed_meanwhile(world: World, browser: Browser) -> None:
    await browser.sign_in("wang")
    code = asked(world, world.request(sale_id="s-000001", amount_minor=1000))
    shown = await browser.client.post("/approve", data={"csrf": await _csrf(browser), "code": code})
    fields = _fields(shown.text.split('action="/approve/answer"')[1])
    world.submit(world.request(sale_id="s-000001", amount_minor=500))
    stale = await browser.client.post("/approve/answer", data=fields)
    assert stale.status_code == 409
    assert WORDS["error.version"][0] in stale.text
    assert "￥5.00" in stale.text
    again = await browser.client.post("/approve/answer", data=_fields(stale.text.split('action="/approve/answer"')[1]))
    assert again.status_code == 200
    bad = await browser.client.post("/approve/answer", data={**fields, "paid_minor": "x"})
    assert bad.status_code == 422
