"""The record of signed certificates: issue, find, revoke, list what is revoked, tell the broker."""

import hashlib
import logging
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backoffice.authority import Authority, Revoked
from backoffice.config import EnrolmentConfig
from backoffice.store.enrolment_tables import CertificateRow
from pos_agent.files import replace_file

_log = logging.getLogger(__name__)
#: A broker that cannot be told in this time is told again with the next list.
_RELOAD_S = 30


def csr_hash(csr: str) -> str:
    """Return by what a request is found again."""
    return hashlib.sha256(csr.encode()).hexdigest()


def issue(
    session: Session, authority: Authority, *, terminal_id: str, csr: str, now: datetime, lifetime_days: int, by: str
) -> CertificateRow:
    """Sign a request and record it; the same request again gives the same certificate.

    Raises:
        CsrError: The request cannot be signed.
    """
    found = session.scalars(
        select(CertificateRow)
        .where(CertificateRow.terminal_id == terminal_id, CertificateRow.csr_hash == csr_hash(csr))
        .where(CertificateRow.revoked_at.is_(None), CertificateRow.not_after > now)
    ).first()
    if found is not None:
        return found
    issued = authority.issue(csr, terminal_id=terminal_id, now=now, lifetime=timedelta(days=lifetime_days))
    row = CertificateRow(
        serial=issued.serial,
        terminal_id=terminal_id,
        csr_hash=csr_hash(csr),
        chain=issued.chain,
        issued_at=now,
        issued_by=by,
        not_after=issued.not_after,
    )
    session.add(row)
    session.flush()
    _log.info("certificate terminal=%s serial=%s until=%s", terminal_id, row.serial, row.not_after.isoformat())
    return row


def newest(session: Session, terminal_id: str) -> CertificateRow | None:
    """Return the certificate of a till that lasts longest, revoked ones left out."""
    return session.scalars(
        select(CertificateRow)
        .where(CertificateRow.terminal_id == terminal_id, CertificateRow.revoked_at.is_(None))
        .order_by(CertificateRow.not_after.desc())
        .limit(1)
    ).first()


def issued_since(session: Session, terminal_id: str, since: datetime) -> int:
    """Return how many certificates a till got since a time."""
    return (
        session.scalar(
            select(func.count())
            .select_from(CertificateRow)
            .where(CertificateRow.terminal_id == terminal_id, CertificateRow.issued_at >= since)
        )
        or 0
    )


def revoke_all(session: Session, terminal_id: str, *, now: datetime, keep: str = "") -> int:
    """Revoke every certificate of a till but one; returns how many were."""
    rows = session.scalars(
        select(CertificateRow).where(
            CertificateRow.terminal_id == terminal_id,
            CertificateRow.revoked_at.is_(None),
            CertificateRow.serial != keep,
        )
    ).all()
    for row in rows:
        row.revoked_at = now
    session.flush()
    return len(rows)


def revocation_list(session: Session, authority: Authority, config: EnrolmentConfig, *, now: datetime) -> bytes:
    """Return the CRL (PEM): what is revoked and has not expired anyway."""
    rows = session.scalars(
        select(CertificateRow).where(CertificateRow.revoked_at.is_not(None), CertificateRow.not_after > now)
    )
    revoked = [Revoked(row.serial, row.revoked_at) for row in rows if row.revoked_at is not None]
    return authority.revocation_list(revoked, now=now, next_update=timedelta(days=config.crl_days))


def publish_list(data: bytes, config: EnrolmentConfig) -> None:
    """Put a CRL where the broker reads it, whole or not at all, and tell the broker.

    Raises:
        OSError: It cannot be written, or the command cannot be started.
        subprocess.SubprocessError: The command failed or took too long; the list is there all the same.
    """
    # Nothing in it is secret, and the broker runs as somebody else.
    replace_file(Path(config.crl_file), data, mode=0o644)
    if config.reload_command:
        subprocess.run(config.reload_command, check=True, timeout=_RELOAD_S, stdout=subprocess.DEVNULL)
    _log.info("revocation list written to %s", config.crl_file)
