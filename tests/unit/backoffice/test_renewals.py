"""Renewals of certificates: at once, after a click, or never (trust.md 22)."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from backoffice import renewals
from backoffice.store.enrolment_tables import CertificateRow
from backoffice.store.schema import EventRow
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.enrolment import (
    Refusal,
    State,
)
from tests.unit.backoffice.enrolment_ground import DAYS, REFUSED, TILL, Ground, csr_for, ground, how
from tests.unit.backoffice.world import START

__all__ = ["ground"]
pytestmark = pytest.mark.slow


def test_valid_certificate_renews_without_a_person(ground: Ground) -> None:
    ground.enrol()
    ground.world.later(days=60)
    assert ground.renew().state is State.ACCEPTED


def test_lost_answer_of_a_renewal_is_given_again(ground: Ground) -> None:
    ground.enrol()
    first, second = ground.renew(), ground.renew()
    assert first.state is second.state is State.ACCEPTED
    assert len(ground.world.rows(CertificateRow)) == 2


def test_till_that_renews_and_renews_is_stopped(ground: Ground) -> None:
    ground.enrol()
    answers = [ground.renew(csr_for(key=ec.generate_private_key(ec.SECP256R1()))) for _ in range(renewals.MAX_A_DAY)]
    assert [how(answer) for answer in answers[-2:]] == [(State.ACCEPTED, ""), (State.REFUSED, Refusal.TOO_MANY)]


def test_expired_certificate_waits_for_a_click_for_this_very_request(ground: Ground) -> None:
    ground.enrol()
    ground.world.later(days=DAYS + 1)
    assert ground.renew().state is State.WAITING
    with ground.world.database.writing() as session:
        (waiting,) = renewals.waiting(session)
        assert waiting.expired_at == START + timedelta(days=DAYS)
        renewals.accept(session, TILL, by="person:li", now=ground.world.now)
    assert ground.renew(csr_for(key=ec.generate_private_key(ec.SECP256R1()))).state is State.WAITING
    with ground.world.database.writing() as session:
        renewals.accept(session, TILL, by="person:li", now=ground.world.now)
    assert ground.renew().state is State.WAITING, "the click was for the other request"


def test_click_lets_one_renewal_through(ground: Ground) -> None:
    ground.enrol()
    ground.world.later(days=DAYS + 365)
    assert ground.renew().state is State.WAITING
    with ground.world.database.writing() as session:
        renewals.accept(session, TILL, by="person:li", now=ground.world.now)
    assert ground.renew().state is State.ACCEPTED
    assert [row.issued_by for row in ground.world.rows(CertificateRow)] == ["person:li", "person:li"]


def test_certificate_expired_for_more_than_a_year_is_refused(ground: Ground) -> None:
    ground.enrol()
    ground.world.later(days=DAYS + 366)
    assert how(ground.renew()) == (State.REFUSED, Refusal.TOO_OLD)


def test_revoked_till_is_refused_and_alarmed_once_a_day(ground: Ground) -> None:
    ground.enrol()
    ground.deny()
    for _ in range(3):
        assert how(ground.renew()) == (State.REFUSED, Refusal.REVOKED)
    assert [row.name for row in ground.world.rows(EventRow)] == ["revoked_till_renews"]


@pytest.mark.parametrize("case", ["foreign key", "old nonce", "made-up nonce"])
def test_renewal_without_proof_gets_one_answer(ground: Ground, case: str) -> None:
    ground.enrol()
    match case:
        case "foreign key":
            assert how(ground.renew(key=PrivateKey.generate())) == REFUSED
        case "old nonce":
            nonce = ground.enrolling.nonce().nonce
            ground.world.later(minutes=5, seconds=1)
            assert how(ground.renew(nonce=nonce)) == REFUSED
        case _:
            assert how(ground.renew(nonce="A" * 76)) == REFUSED
