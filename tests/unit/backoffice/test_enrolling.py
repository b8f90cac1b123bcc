"""Invitations, claims, acceptance and renewals, on a real database with a clock that tests move (trust.md 22)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from backoffice import invitations, renewals
from backoffice.authority import CsrError, load_authority, make_authority, read_csr, write_new
from backoffice.config import Config, EnrolmentConfig, TlsConfig
from backoffice.enrolling import Enrolling, Materials, load_materials
from backoffice.review import DecisionError, StaleError
from backoffice.signing import Signer
from backoffice.store.enrolment_tables import CertificateRow, InvitationRow
from backoffice.store.schema import EventRow, Terminal
from backoffice.web.app import make_app
from backoffice.web.auth import hash_pin
from backoffice.web.gate import Desk
from pos_agent.domain.pins import WeakPinError
from pos_agent.errors import ConfigValueError
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.enrolment import (
    ENROL_TYPE,
    RENEW_TYPE,
    Answer,
    EnrolCall,
    Refusal,
    RenewCall,
    State,
    Supervisor,
    device_key_id,
    key_fingerprint,
)
from pos_agent.protocol.envelope import seal
from tests.unit.backoffice.world import MERCHANT, PASSWORD, START, TERMINAL, World

pytestmark = pytest.mark.slow

TILL = "t-new-01"
DAYS = 90
FIRST = Supervisor(operator_no="90", person_id="chen", name="陈", pin_hash="$argon2id$x")


def csr_for(terminal_id: str = TILL, key: Any = None) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, terminal_id)])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key or _TLS, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


_TLS = ec.generate_private_key(ec.SECP256R1())
_CSR = csr_for()
_OTHER_CSR = csr_for(key=ec.generate_private_key(ec.SECP256R1()))


class Ground:
    """A world that enrols, and a till that asks."""

    def __init__(self, world: World, folder: Path) -> None:
        certificate, key = make_authority("tills", now=world.now)
        write_new(folder / "ca.pem", certificate, mode=0o644)
        write_new(folder / "ca.key", key, mode=0o600)
        self.world = world
        self.key = PrivateKey.generate()
        self.authority = load_authority(str(folder / "ca.pem"), str(folder / "ca.key"))
        office = PrivateKey.generate()
        self.materials = Materials(
            authority=self.authority,
            signer=Signer(office, "bo"),
            back_office_keys={"bo": office.public_key().base64},
            broker_url="mqtts://broker:8883",
            broker_ca="PEM",
            office_url="https://office",
            office_ca=self.authority.pem,
            lookup_key="",
        )
        self.enrolling = Enrolling(world.database, self.materials, now=lambda: world.now, lifetime_days=DAYS)

    def invite(self, **terms: Any) -> str:
        given = invitations.Terms(**{"terminal_id": TILL, "merchant_id": MERCHANT, "supervisor": FIRST, **terms})
        with self.world.database.writing() as session:
            return invitations.invite(session, given, by="cli:li", now=self.world.now)

    def ask(self, code: str, *, key: PrivateKey | None = None, csr: str = _CSR, terminal_id: str = TILL) -> Answer:
        signer = key or self.key
        public = signer.public_key()
        call = EnrolCall(terminal_id=terminal_id, code=code, csr=csr, device_key=public.base64)
        body = msgspec.json.encode(call)
        return self.enrolling.enrol(seal(body, payload_type=ENROL_TYPE, kid=device_key_id(public), key=signer))

    def accept(self, fingerprint: str = "") -> None:
        shown = fingerprint or key_fingerprint(self.key.public_key())
        with self.world.database.writing() as session:
            invitations.accept(
                session, self.authority, TILL, fingerprint=shown, by="person:li", now=self.world.now, days=DAYS
            )

    def enrol(self) -> None:
        code = self.invite()
        assert self.ask(code).state is State.WAITING
        self.accept()
        assert self.ask(code).state is State.ACCEPTED

    def renew(self, csr: str = _OTHER_CSR, *, key: PrivateKey | None = None, nonce: str = "") -> Answer:
        call = RenewCall(terminal_id=TILL, nonce=nonce or self.enrolling.nonce().nonce, csr=csr)
        kid = device_key_id(self.key.public_key())
        body = msgspec.json.encode(call)
        return self.enrolling.renew(seal(body, payload_type=RENEW_TYPE, kid=kid, key=key or self.key))

    def deny(self) -> None:
        with self.world.database.writing() as session:
            terminal = session.get(Terminal, TILL)
            assert terminal is not None
            terminal.is_denied = True


@pytest.fixture
def ground(world: World, tmp_path: Path) -> Iterator[Ground]:
    yield Ground(world, tmp_path)


REFUSED = (State.REFUSED, Refusal.CODE)


def how(answer: Answer) -> tuple[State, str]:
    return answer.state, answer.code


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
    assert how(ground.ask(code, csr=_OTHER_CSR)) == REFUSED
    assert [row.name for row in ground.world.rows(EventRow)] == ["enrolment_code_replayed"] * 2
    assert ground.ask(code).state is State.WAITING, "the till itself is not locked out"


def test_call_that_its_own_key_did_not_sign_is_refused_and_costs_no_try(ground: Ground) -> None:
    code = ground.invite()
    public, other = ground.key.public_key(), PrivateKey.generate()
    call = EnrolCall(terminal_id=TILL, code=code, csr=_CSR, device_key=public.base64)
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
    assert ground.ask(code, csr=_OTHER_CSR).state is State.WAITING
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
        _CSR.replace("MIH", "MIG", 1),
        "nothing",
    ],
    ids=["a worker's name", "short RSA", "odd curve", "changed bytes", "no PEM"],
)
def test_request_that_cannot_be_signed_is_refused(ground: Ground, csr: str) -> None:
    with pytest.raises(CsrError):
        read_csr(csr, terminal_id=TILL)
    assert how(ground.ask(ground.invite(), csr=csr)) == (State.REFUSED, Refusal.CSR)


def test_certificate_carries_the_name_and_nothing_that_the_request_asked_for(ground: Ground) -> None:
    issued = ground.authority.issue(_CSR, terminal_id=TILL, now=START, lifetime=timedelta(days=1))
    certificate = x509.load_pem_x509_certificate(issued.chain.encode())
    assert certificate.subject.rfc4514_string() == f"CN={TILL}"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


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


def browser(ground: Ground, base_url: str = "https://testserver") -> tuple[httpx.AsyncClient, Desk]:
    """Return a client of the pages and calls, and their desk."""
    desk = Desk(ground.world.database, ground.world.context, lambda: None, ground.enrolling)
    return httpx.AsyncClient(transport=httpx.ASGITransport(make_app(desk)), base_url=base_url), desk


async def test_enrolment_over_plain_http_is_not_offered(ground: Ground) -> None:
    client, _ = browser(ground, "http://testserver")
    async with client:
        for method, path in (("GET", "/enrol/ca"), ("POST", "/enrol"), ("POST", "/renew"), ("POST", "/renew/nonce")):
            assert (await client.request(method, path)).status_code == 404
    client, _ = browser(ground)
    async with client:
        assert (await client.get("/enrol/ca")).text == ground.authority.pem


async def test_address_that_guesses_is_told_to_wait_and_its_sign_ins_are_not_touched(ground: Ground) -> None:
    client, desk = browser(ground)
    async with client:
        statuses = [(await client.post("/enrol", content=b"{}")).status_code for _ in range(22)]
    assert statuses == [403] * 20 + [429] * 2
    assert not desk.tries.is_too_many("127.0.0.1", ground.world.now)


async def test_till_is_accepted_by_a_manager_and_a_form_of_ours_only(ground: Ground) -> None:
    ground.ask(ground.invite())
    ground.world.add_person("finn", "finance")
    given = {"decision": "accept", "fingerprint": key_fingerprint(ground.key.public_key())}
    statuses = []
    for who in ("finn", "wang"):
        client, _ = browser(ground)
        async with client:
            token = (await client.post("/api/login", json={"user": who, "password": PASSWORD})).json()["csrf"]
            for csrf in ("", token):
                answer = await client.post(f"/terminals/{TILL}/enrolment", data={**given, "csrf": csrf})
                statuses.append(answer.status_code)
    assert statuses == [403, 403, 403, 303]
    assert len(ground.world.rows(CertificateRow)) == 1


def test_enrolment_without_https_is_refused_at_the_start(tmp_path: Path) -> None:
    config = Config(
        enrolment=EnrolmentConfig(ca_cert_file=str(tmp_path / "ca.pem"), ca_key_file=str(tmp_path / "ca.key")),
        tls=TlsConfig(ca_file=str(tmp_path / "office-ca.pem")),
    )
    with pytest.raises(ConfigValueError, match="public_url"):
        load_materials(config, office_url="http://127.0.0.1:8080")
    assert load_materials(Config(), office_url="http://127.0.0.1:8080") is None


def test_supervisor_with_a_pin_that_everybody_knows_is_refused() -> None:
    with pytest.raises(WeakPinError):
        hash_pin("123456")
