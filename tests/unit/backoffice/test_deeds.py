"""The office's own chain: who did what to rollouts and tills, and that a changed line is named (I6, ADR 0029).

What people do to coupons and requests stands in chains of their own: test_coupons.py, test_review.py.
"""

import getpass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Delete, Update, delete, update

from backoffice import audit, deeds, enrolment, invitations, renewals
from backoffice.deeds import Deed
from backoffice.desired import rollouts
from backoffice.desired.bundle import BundleError
from backoffice.review import StaleError
from backoffice.store.rollout_tables import ConfigDocument, Rollout
from backoffice.store.schema import AuditLine
from pos_agent.protocol.enrolment import State, key_fingerprint
from tests.fakes.fleet import Fleet
from tests.unit.backoffice.enrolment_ground import DAYS, TILL, Ground, ground
from tests.unit.backoffice.test_web import Browser, browser
from tests.unit.backoffice.world import MERCHANT, PASSWORD, TERMINAL, World

__all__ = ["browser", "ground"]


def _told(world: World) -> list[tuple[str, str, str]]:
    """Return actor, deed and detail of the chain, in order."""
    with world.database.reading() as session:
        return [(line.actor, line.after, line.detail) for line in deeds.newest(session, limit=50)[::-1]]


def _verify(world: World) -> audit.Verdict:
    with world.database.reading() as session:
        return audit.verify(session)


def _push(world: World, by: str = "person:li") -> None:
    fleet = Fleet()
    bundle = fleet.sign(fleet.plan((TERMINAL, 1)), fleet.wish("r1"))
    with world.database.writing() as session:
        rollouts.push(session, bundle, fleet.pins, now=world.context.now, by=by)


def test_rollout_leaves_a_line_for_each_thing_that_people_did_to_it(world: World) -> None:
    _push(world)
    now = world.context.now
    with world.database.writing() as session:
        rollouts.release(session, "r1", now=now, share=100, by="person:li")
        rollouts.pause(session, "r1", now=now, by="person:wang")
        rollouts.resume(session, "r1", now=now, by="person:li")
        rollouts.release(session, "r1", now=now, terminal_ids=[TERMINAL], by="person:li")
        rollouts.undo(session, "r1", now=now, by="person:wang")
    first = rollouts.cohort("r1", TERMINAL) < 100
    assert _told(world) == [
        ("person:li", "pushed", "r1: 1 tills, signed by fleet-a"),
        ("person:li", "released", f"r1: 1 %, {int(first)} tills more, 0 left out"),
        ("person:wang", "paused", "r1"),
        ("person:li", "resumed", "r1"),
        ("person:li", "released", f"r1: {TERMINAL}, {int(not first)} tills more, 0 left out"),
        ("person:wang", "undone", "r1: 1 tills"),
    ]
    assert (_verify(world).deeds, _verify(world).differences) == (6, {})


def test_deed_at_the_command_line_names_the_account(world: World) -> None:
    _push(world, by="")
    assert _told(world)[0][0] == f"cli:{getpass.getuser()}"


def test_account_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert deeds.at_command_line().removeprefix("cli:").isdigit()


def test_till_invited_and_accepted_is_told_with_its_key(ground: Ground) -> None:
    ground.enrol()
    told = _told(ground.world)
    assert [(actor, deed) for actor, deed, _ in told] == [("cli:li", "invited"), ("person:li", "accepted")]
    assert all(TILL in detail for _, _, detail in told)
    assert "device key" in told[1][2]


def test_till_refused_is_told(ground: Ground) -> None:
    ground.ask(ground.invite())
    shown = key_fingerprint(ground.key.public_key())
    with ground.world.database.writing() as session:
        invitations.refuse(session, TILL, fingerprint=shown, now=ground.world.now, by="person:wang")
    assert _told(ground.world)[-1][:2] == ("person:wang", "refused")


def test_till_revoked_and_let_in_again_is_told(ground: Ground) -> None:
    ground.enrol()
    ground.deny()
    ground.ask(ground.invite(ends_revocation=True))
    ground.accept()
    told = [(actor, deed) for actor, deed, _ in _told(ground.world)[2:]]
    assert told == [
        ("person:wang", "revoked"),
        ("cli:li", "invited"),
        ("person:li", "let_in"),
        ("person:li", "key_given"),
        ("person:li", "accepted"),
    ]
    assert _told(ground.world)[3][2].endswith("after revocation")


@pytest.mark.parametrize(("is_active", "deed"), [(False, "shut_out"), (True, "let_in")])
def test_person_shut_out_or_let_in_is_told(world: World, is_active: bool, deed: str) -> None:
    with world.database.writing() as session:
        enrolment.mark_person(session, "li", is_active=is_active, by="person:wang", now=world.context.now)
    assert _told(world) == [("person:wang", deed, "person li")]


def test_sign_in_its_password_its_role_and_a_number_that_changes_hands_are_told_without_secrets(world: World) -> None:
    who: dict[str, Any] = {"by": "person:wang", "now": world.context.now}
    with world.database.writing() as session:
        enrolment.add_person(session, login="chen", name="Chen", role="viewer", password=PASSWORD, **who)
        enrolment.set_password(session, login="chen", password=PASSWORD[::-1], **who)
        enrolment.set_role(session, login="chen", role="manager", **who)
        enrolment.map_operator(session, merchant_id=MERCHANT, operator_no="01", person_id="zhang", **who)
        enrolment.map_operator(session, merchant_id=MERCHANT, operator_no="01", person_id="chen", **who)
    assert _told(world) == [
        ("person:wang", "sign_in_added", "chen, viewer, person chen"),
        ("person:wang", "password_set", "chen"),
        ("person:wang", "role_set", "chen, viewer before, manager now"),
        ("person:wang", "operator_moved", f"{MERCHANT} 01, zhang before, chen now"),
    ]


@pytest.mark.parametrize("is_accepted", [True, False])
def test_click_on_an_expired_certificate_is_told(ground: Ground, is_accepted: bool) -> None:
    ground.enrol()
    ground.world.later(days=DAYS + 1)
    assert ground.renew().state is State.WAITING
    with ground.world.database.writing() as session:
        if is_accepted:
            renewals.accept(session, TILL, by="person:wang", now=ground.world.now)
        else:
            renewals.refuse(session, TILL, by="person:wang", now=ground.world.context.now)
    deed = Deed.RENEWAL_ACCEPTED if is_accepted else Deed.RENEWAL_REFUSED
    assert _told(ground.world)[-1] == ("person:wang", deed, TILL)


def test_what_is_refused_leaves_no_line(ground: Ground) -> None:
    ground.ask(ground.invite())
    before = _told(ground.world)
    with pytest.raises(StaleError):
        ground.accept("0000 0000 0000 0000 0000 0000 0000 0000")
    with pytest.raises(BundleError), ground.world.database.writing() as session:
        rollouts.pause(session, "none", now=ground.world.context.now)
    assert _told(ground.world) == before


def test_deed_and_its_line_are_one_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(deeds, "note", die)
        _push(world)
    assert (world.rows(Rollout), world.rows(ConfigDocument), _told(world)) == ([], [], [])


_OFFICE = AuditLine.refund_request_id == audit.OFFICE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (update(AuditLine).where(_OFFICE, AuditLine.number == 2).values(actor="person:nobody"), "line 2 differs"),
        (update(AuditLine).where(_OFFICE, AuditLine.number == 3).values(detail="r2"), "line 3 differs"),
        (delete(AuditLine).where(_OFFICE, AuditLine.number == 2), "line 2 is missing"),
        (delete(AuditLine).where(_OFFICE, AuditLine.number == 3), "the last line says 2, the record 3"),
        (delete(AuditLine).where(_OFFICE), "has no lines"),
    ],
)
def test_i6_changed_or_missing_deed_is_named(world: World, change: Update | Delete, says: str) -> None:
    request_id = world.approved(amount_minor=100)
    _push(world)
    with world.database.writing() as session:
        rollouts.release(session, "r1", now=world.context.now, share=rollouts.ALL, by="person:li")
        rollouts.pause(session, "r1", now=world.context.now, by="person:li")
    found = _verify(world)
    assert (found.requests, found.lines, found.deeds, found.differences) == (1, 2, 3, {})
    with world.database.writing() as session:
        session.execute(change)
    assert _verify(world).differences == {audit.OFFICE: says}
    assert len(world.trail(request_id)) == 2


def test_newest_deeds_come_first(world: World) -> None:
    for number in range(4):
        world.later(hours=1)
        with world.database.writing() as session:
            deeds.note(session, Deed.PAUSED, by="person:li", detail=f"r{number}", now=world.context.now)
    with world.database.reading() as session:
        found = deeds.newest(session, limit=2)
    assert [(line.detail, line.at - world.now) for line in found] == [("r3", timedelta()), ("r2", timedelta(hours=-1))]


async def test_page_of_tills_says_who_did_what_newest_first(world: World, browser: Browser) -> None:
    await browser.sign_in()
    assert "谁做了什么" not in (await browser.client.get("/terminals")).text
    _push(world, by="person:<b>li</b>")
    with world.database.writing() as session:
        rollouts.release(session, "r1", now=world.context.now, share=100, by="person:wang")
    shown = (await browser.client.get("/terminals")).text
    assert shown.index("放行配置") < shown.index("提交配置")
    assert "person:wang r1: 1 %" in shown
    assert "<b>li</b>" not in shown
