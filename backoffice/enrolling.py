"""Answers the calls of tills that have no certificate, or an expired one (`pos_agent.protocol.enrolment`).

Blocking code for a database thread. Nothing here tells a caller who has not proved anything whether a till exists.
"""

import logging
from datetime import datetime
from pathlib import Path

import msgspec

from backoffice import invitations, renewals
from backoffice.authority import Authority, load_authority
from backoffice.clock import Now
from backoffice.config import Config
from backoffice.signing import Signer, load_signer, public_key_of
from backoffice.store.database import Database
from backoffice.store.enrolment_tables import InvitationRow
from backoffice.store.schema import Terminal
from pos_agent.errors import ConfigFileError, ConfigValueError, RemoteProtocolError
from pos_agent.protocol.ed25519 import PublicKey
from pos_agent.protocol.enrolment import (
    DOCUMENT_TYPE,
    ENROL_TYPE,
    RENEW_TYPE,
    RENEWED_TYPE,
    Answer,
    EnrolCall,
    EnrolmentDocument,
    Nonce,
    Refusal,
    RenewCall,
    Renewed,
    State,
    Supervisor,
    accepted,
    decode,
    device_key_id,
)
from pos_agent.protocol.envelope import peek, unseal

_log = logging.getLogger(__name__)
#: When a till that waits asks again.
_AGAIN_ENROL_S, _AGAIN_RENEW_S = 3, 3600
_NO = Answer(state=State.REFUSED, code=Refusal.CODE)


class Materials(msgspec.Struct, frozen=True, kw_only=True):
    """What a new till is given, the same for all.

    Attributes:
        office_ca: PEM of the CA of our HTTPS certificate, whose fingerprint invitations carry.
    """

    authority: Authority
    signer: Signer
    back_office_keys: dict[str, str]
    broker_url: str
    broker_ca: str
    office_url: str
    office_ca: str
    lookup_key: str
    fleet_keys: dict[str, str] = {}


def load_materials(config: Config, *, office_url: str) -> Materials | None:
    """Read everything that enrolment needs; None if it is not configured.

    Raises:
        ConfigFileError: A file cannot be read or used.
        ConfigValueError: A key is missing.
    """
    wanted = config.enrolment
    if not wanted.ca_cert_file:
        return None
    for key, value in (("enrolment.ca_key_file", wanted.ca_key_file), ("tls.ca_file", config.tls.ca_file)):
        if not value:
            raise ConfigValueError("is needed for enrolment", key=key, origin="configuration")
    if not office_url.startswith("https://"):
        hint = "tills reach the proxy by it; or give tls.cert_file"
        raise ConfigValueError("must be https", key="server.public_url", origin="configuration", hint=hint)
    signing = config.signing
    key_file = Path(signing.key_file)
    return Materials(
        authority=load_authority(wanted.ca_cert_file, wanted.ca_key_file),
        signer=load_signer(key_file, signing.kid),
        back_office_keys={signing.kid: public_key_of(key_file).base64},
        broker_url=wanted.broker_url or config.broker.url,
        broker_ca=_read(wanted.broker_ca_file or config.broker.ca_file),
        office_url=office_url,
        office_ca=_read(config.tls.ca_file),
        lookup_key=_read(config.lookup_key_file).strip() if config.lookup_key_file else "",
        fleet_keys=config.fleet.keys,
    )


def _read(name: str) -> str:
    try:
        return Path(name).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFileError(f"{name}: {error}") from error


class Enrolling:
    """The calls, over one database."""

    def __init__(self, database: Database, materials: Materials, *, now: Now, lifetime_days: int) -> None:
        self._database = database
        self.materials = materials
        self._now = now
        self.lifetime_days = lifetime_days
        with database.writing() as session:
            self._secret = renewals.nonce_secret(session)

    def enrol(self, body: bytes) -> Answer:
        """Answer ``POST /enrol``; a try is committed before its code is compared."""
        try:
            call = decode(peek(body), EnrolCall)
            key = PublicKey.from_base64(call.device_key)
            unseal(body, payload_type=ENROL_TYPE, keys={device_key_id(key): key})
        except (RemoteProtocolError, ValueError) as error:
            _log.info("enrolment call unusable: %s", error)
            return _NO
        with self._database.writing() as session:
            is_counted = invitations.count_try(session, call)
        with self._database.writing() as session:
            standing = invitations.claim(session, call, is_counted=is_counted, now=self._now())
        _log.info("enrolment terminal=%s state=%s code=%s", call.terminal_id, standing.state, standing.code)
        if standing.row is None:
            again_s = _AGAIN_ENROL_S if standing.state is State.WAITING else 0
            return Answer(state=standing.state, code=standing.code, again_s=again_s)
        document = self._document(standing.row, device_key_id(key))
        return accepted(self.materials.signer.seal_enrolment(msgspec.json.encode(document), DOCUMENT_TYPE))

    def _document(self, row: InvitationRow, kid: str) -> EnrolmentDocument:
        given = self.materials
        return EnrolmentDocument(
            terminal_id=row.terminal_id,
            merchant_id=row.merchant_id,
            merchant_name=row.merchant_name,
            store_name=row.store_name,
            device_key_id=kid,
            certificate=row.chain,
            broker_url=given.broker_url,
            broker_ca=given.broker_ca,
            back_office_keys=given.back_office_keys,
            office_url=given.office_url,
            office_ca=given.office_ca,
            lookup_key=given.lookup_key,
            supervisor=msgspec.convert(row.supervisor, Supervisor) if row.supervisor else None,
            fleet_keys=given.fleet_keys,
        )

    def nonce(self) -> Nonce:
        """Answer ``POST /renew/nonce``."""
        return Nonce(renewals.make_nonce(self._secret, self._now()))

    def renew(self, body: bytes) -> Answer:
        """Answer ``POST /renew``."""
        now = self._now()
        try:
            call = self._proved(body, now)
        except (RemoteProtocolError, ValueError, LookupError) as error:
            _log.info("renewal call refused: %s", error)
            return _NO
        with self._database.writing() as session:
            standing = renewals.renew(session, self.materials.authority, call, now=now, days=self.lifetime_days)
        _log.info("renewal terminal=%s state=%s code=%s", call.terminal_id, standing.state, standing.code)
        if standing.state is not State.ACCEPTED:
            again_s = _AGAIN_RENEW_S if standing.state is State.WAITING else 0
            return Answer(state=standing.state, code=standing.code, again_s=again_s)
        renewed = Renewed(terminal_id=call.terminal_id, certificate=standing.chain)
        return accepted(self.materials.signer.seal_enrolment(msgspec.json.encode(renewed), RENEWED_TYPE))

    def _proved(self, body: bytes, now: datetime) -> RenewCall:
        """Return a call that an enrolled device key signed over a fresh nonce of ours.

        Raises:
            RemoteProtocolError: Not a call, or a wrong signature.
            ValueError: Another key than any enrolled one, or an old nonce.
            LookupError: No such till.
        """
        call = decode(peek(body), RenewCall)
        with self._database.reading() as session:
            terminal = session.get(Terminal, call.terminal_id)
            enrolled = {} if terminal is None else dict(terminal.device_keys)
        keys = {kid: PublicKey.from_base64(text) for kid, text in enrolled.items()}
        unseal(body, payload_type=RENEW_TYPE, keys=keys)
        if not renewals.is_fresh(self._secret, call.nonce, now):
            raise ValueError("old nonce")
        return call
