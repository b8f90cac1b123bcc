"""Invitations: a code is guessed, brought, replayed; a person accepts the till (trust.md 22)."""

from datetime import timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from backoffice import invitations
from backoffice.authority import CsrError, read_csr
from backoffice.review import DecisionError, StaleError
from backoffice.store.enrolment_tables import CertificateRow, InvitationRow
from backoffice.store.schema import EventRow, Terminal
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.enrolment import (
    ENROL_TYPE,
    EnrolCall,
    Refusal,
    State,
    device_key_id,
)
from pos_agent.protocol.envelope import seal
from tests.unit.backoffice.enrolment_ground import CSR, DAYS, OTHER_CSR, REFUSED, TILL, Ground, csr_for, ground, how
from tests.unit.backoffice.world import START, TERMINAL

__all__ = ["ground"]
pytestmark = pytest.mark.slow


def test_code_is_kept_as_a_hash_only(ground: Ground) -> None:
    code = ground.invite()
    (row,) = ground.world.rows(InvitationRow)
    assert code not in str(vars(row))


def test_sixth_try_is_refused_though_it_is_right(ground: Ground) -> None:
    code = ground.invite()
    for _ in range(invitations.MAX_TRIES):
        assert how(ground.ask("A" * 16)) == REFUSED
    assert how(ground.ask(code)) == REFUSED


def test_try_is_committed_before_the_code_is_compared(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.invite()

    def die(*_: object, **__: object) -> invitations.Standing:
        raise RuntimeError("power cut")

    monkeypatch.setattr(invitations, "claim", die)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            ground.ask("A" * 16)
    assert ground.world.rows(InvitationRow)[0].tries == 3


def test_right_code_asked_again_and_again_by_its_till_never_runs_out(ground: Ground) -> None:
    code = ground.invite()
    for _ in range(3 * invitations.MAX_TRIES):
        assert ground.ask(code).state is State.WAITING


@pytest.mark.parametrize("case", ["no such till", "wrong code", "late", "other till's code"])
def test_whoever_has_no_right_code_gets_one_answer(ground: Ground, case: str) -> None:
    code = ground.invite()
    match case:
        case "no such till":
            assert how(ground.ask(code, terminal_id="t-nobody", csr=csr_for("t-nobody"))) == REFUSED
        case "wrong code":
            assert how(ground.ask("A" * 16)) == REFUSED
        case "late":
            ground.world.later(hours=24, seconds=1)
            assert how(ground.ask(code)) == REFUSED
        case _:
            ground.invite(terminal_id="t-new-02")
            assert how(ground.ask(code, terminal_id="t-new-02", csr=csr_for("t-new-02"))) == REFUSED


def test_code_with_other_keys_is_a_replay_and_alarmed(ground: Ground) -> None:
    code = ground.invite()
    ground.ask(code)
    assert how(ground.ask(code, key=PrivateKey.generate())) == REFUSED
    assert how(ground.ask(code, csr=OTHER_CSR)) == REFUSED
    assert [row.name for row in ground.world.rows(EventRow)] == ["enrolment_code_replayed"] * 2
    assert ground.ask(code).state is State.WAITING, "the till itself is not locked out"


def test_call_that_its_own_key_did_not_sign_is_refused_and_costs_no_try(ground: Ground) -> None:
    code = ground.invite()
    public, other = ground.key.public_key(), PrivateKey.generate()
    call = EnrolCall(terminal_id=TILL, code=code, csr=CSR, device_key=public.base64)
    forged = seal(msgspec.json.encode(call), payload_type=ENROL_TYPE, kid=device_key_id(public), key=other)
    for body in (forged, b"{}", b"\xff" * 100, b""):
        assert how(ground.enrolling.enrol(body)) == REFUSED
    assert ground.world.rows(InvitationRow)[0].tries == 0


def test_accepting_another_fingerprint_than_was_seen_is_stale(ground: Ground) -> None:
    ground.ask(ground.invite())
    with pytest.raises(StaleError):
        ground.accept("0000 0000 0000 0000 0000 0000 0000 0000")
    assert ground.world.rows(CertificateRow) == []


def test_accepting_twice_or_without_a_till_is_gone(ground: Ground) -> None:
    ground.invite()
    with pytest.raises(DecisionError, match="gone"):
        ground.accept()
    ground.enrol()
    with pytest.raises(DecisionError, match="gone"):
        ground.accept()


def test_accepted_till_is_known_by_its_key_and_its_supervisor_is_a_person(ground: Ground) -> None:
    ground.enrol()
    (terminal,) = [row for row in ground.world.rows(Terminal) if row.terminal_id == TILL]
    public = ground.key.public_key()
    assert terminal.device_keys == {device_key_id(public): public.base64}
    (row,) = ground.world.rows(CertificateRow)
    assert row.not_after == ground.world.now + timedelta(days=DAYS)


def test_till_of_another_merchant_is_not_invited(ground: Ground) -> None:
    with pytest.raises(ValueError, match="belongs to"):
        ground.invite(terminal_id=TERMINAL, merchant_id="M2")


def test_revoked_till_needs_an_invitation_that_says_so_and_loses_its_old_keys(ground: Ground) -> None:
    ground.enrol()
    ground.deny()
    with pytest.raises(ValueError, match="revoked"):
        ground.invite()
    ground.key = PrivateKey.generate()
    code = ground.invite(ends_revocation=True)
    assert ground.ask(code, csr=OTHER_CSR).state is State.WAITING
    ground.accept()
    (terminal,) = [row for row in ground.world.rows(Terminal) if row.terminal_id == TILL]
    assert list(terminal.device_keys) == [device_key_id(ground.key.public_key())]
    assert not terminal.is_denied
    assert sorted(row.revoked_at is None for row in ground.world.rows(CertificateRow)) == [False, True]


def test_till_revoked_between_invitation_and_acceptance_stays_out(ground: Ground) -> None:
    ground.enrol()
    code = ground.invite()
    assert ground.ask(code).state is State.WAITING
    ground.deny()
    with pytest.raises(DecisionError, match="revoked_meanwhile"):
        ground.accept()


def test_document_is_fetched_within_a_week_only(ground: Ground) -> None:
    code = ground.invite()
    ground.ask(code)
    ground.accept()
    ground.world.later(days=6)
    assert ground.ask(code).state is State.ACCEPTED
    ground.world.later(days=2)
    assert how(ground.ask(code)) == REFUSED


@pytest.mark.parametrize(
    "csr",
    [
        csr_for("bo-1"),
        csr_for(key=rsa.generate_private_key(65537, 1024)),
        csr_for(key=ec.generate_private_key(ec.SECP521R1())),
        CSR.replace("MIH", "MIG", 1),
        "nothing",
    ],
    ids=["a worker's name", "short RSA", "odd curve", "changed bytes", "no PEM"],
)
def test_request_that_cannot_be_signed_is_refused(ground: Ground, csr: str) -> None:
    with pytest.raises(CsrError):
        read_csr(csr, terminal_id=TILL)
    assert how(ground.ask(ground.invite(), csr=csr)) == (State.REFUSED, Refusal.CSR)


def test_certificate_carries_the_name_and_nothing_that_the_request_asked_for(ground: Ground) -> None:
    issued = ground.authority.issue(CSR, terminal_id=TILL, now=START, lifetime=timedelta(days=1))
    certificate = x509.load_pem_x509_certificate(issued.chain.encode())
    assert certificate.subject.rfc4514_string() == f"CN={TILL}"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
