"""A back office that enrols, and a till that asks, for the tests of enrolment."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backoffice import invitations
from backoffice.authority import load_authority, make_authority, write_new
from backoffice.enrolling import Enrolling, Materials
from backoffice.enrolment import mark_terminal
from backoffice.signing import Signer
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
from tests.unit.backoffice.world import MERCHANT, World

TILL = "t-new-01"
DAYS = 90
FIRST = Supervisor(operator_no="90", person_id="chen", name="陈", pin_hash="$argon2id$x")


def csr_for(terminal_id: str = TILL, key: Any = None) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, terminal_id)])
    signed = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key or _TLS, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


_TLS = ec.generate_private_key(ec.SECP256R1())
CSR = csr_for()
OTHER_CSR = csr_for(key=ec.generate_private_key(ec.SECP256R1()))


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

    def ask(self, code: str, *, key: PrivateKey | None = None, csr: str = CSR, terminal_id: str = TILL) -> Answer:
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

    def renew(self, csr: str = OTHER_CSR, *, key: PrivateKey | None = None, nonce: str = "") -> Answer:
        call = RenewCall(terminal_id=TILL, nonce=nonce or self.enrolling.nonce().nonce, csr=csr)
        kid = device_key_id(self.key.public_key())
        body = msgspec.json.encode(call)
        return self.enrolling.renew(seal(body, payload_type=RENEW_TYPE, kid=kid, key=key or self.key))

    def deny(self) -> None:
        with self.world.database.writing() as session:
            mark_terminal(session, TILL, is_denied=True, by="person:wang", now=self.world.context.now)


REFUSED = (State.REFUSED, Refusal.CODE)


def how(answer: Answer) -> tuple[State, str]:
    return answer.state, answer.code


@pytest.fixture
def ground(world: World, tmp_path: Path) -> Ground:
    return Ground(world, tmp_path)
