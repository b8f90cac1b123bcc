"""What the commands about enrolment do: ``ca make``, ``terminal invite|waiting|accept|refuse|revoke``."""

import argparse
import getpass
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from backoffice import certificates, enrolment, invitations, renewals
from backoffice.authority import Authority, fingerprint, load_authority, make_authority, write_new
from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.store.database import open_database
from backoffice.store.schema import Merchant, Terminal
from backoffice.web.auth import hash_pin
from pos_agent.domain.identifiers import grouped
from pos_agent.domain.pins import is_operator_no
from pos_agent.errors import ConfigFileError, ConfigValueError
from pos_agent.protocol.enrolment import Invitation, Supervisor, clean_url

Said = tuple[str, Any]
Command = Callable[[argparse.Namespace, Config], Said]
_TILLS_CA, _OFFICE_CA = "pos-agent tills CA", "pos-agent back office CA"


def make_ca(arguments: argparse.Namespace, config: Config) -> Said:
    """Make the CA of the tills and, for the hosts that are named, a CA and certificate for HTTPS; never overwrites."""
    wanted, tls, now = config.enrolment, config.tls, system_now()
    _need(("enrolment.ca_cert_file", wanted.ca_cert_file), ("enrolment.ca_key_file", wanted.ca_key_file))
    made = []
    if not Path(wanted.ca_cert_file).exists():
        _write_pair(wanted.ca_cert_file, wanted.ca_key_file, *make_authority(_TILLS_CA, now=now))
        made.append(wanted.ca_cert_file)
    if wanted.crl_file and not Path(wanted.crl_file).exists():
        empty = _authority(config).revocation_list([], now=now, next_update=timedelta(days=wanted.crl_days))
        write_new(Path(wanted.crl_file), empty, mode=0o644)
        made.append(wanted.crl_file)
    if arguments.host:
        _need(("tls.ca_file", tls.ca_file), ("tls.cert_file", tls.cert_file), ("tls.key_file", tls.key_file))
        office_key = str(Path(tls.ca_file).with_suffix(".key"))
        if not Path(tls.ca_file).exists():
            _write_pair(tls.ca_file, office_key, *make_authority(_OFFICE_CA, now=now))
            made.append(tls.ca_file)
        chain, key = load_authority(tls.ca_file, office_key).serve(arguments.host, now=now)
        _write_pair(tls.cert_file, tls.key_file, chain.encode(), key)
        made.append(tls.cert_file)
    return "\n".join(made) or "everything is there already", {"made": made}


def _write_pair(cert_file: str, key_file: str, certificate: bytes, key: bytes) -> None:
    write_new(Path(key_file), key, mode=0o600)
    write_new(Path(cert_file), certificate, mode=0o644)


def _need(*values: tuple[str, str]) -> None:
    for key, value in values:
        if not value:
            raise ConfigValueError("is needed for this", key=key, origin="configuration")


def invite(arguments: argparse.Namespace, config: Config) -> Said:
    """Make an invitation and print it once: only its hash is kept."""
    _need(("server.public_url", arguments.url or config.server.public_url))
    url = clean_url(arguments.url or config.server.public_url)
    _need(("tls.ca_file", config.tls.ca_file), ("enrolment.ca_cert_file", config.enrolment.ca_cert_file))
    supervisor = _supervisor(arguments)
    with open_database(config.database.url) as database, database.writing() as session:
        merchant_id = arguments.merchant or _merchant_of(session, arguments.terminal_id)
        merchant = session.get(Merchant, merchant_id)
        terms = invitations.Terms(
            terminal_id=arguments.terminal_id,
            merchant_id=merchant_id,
            merchant_name=arguments.merchant_name or (merchant.name if merchant is not None else ""),
            store_name=arguments.store,
            supervisor=supervisor,
            ends_revocation=arguments.after_revocation,
        )
        code = invitations.invite(session, terms, by=f"cli:{getpass.getuser()}", now=system_now())
    made = Invitation(
        url=url, ca_fingerprint=fingerprint(_text(config.tls.ca_file)), terminal_id=arguments.terminal_id, code=code
    )
    if arguments.out is not None:
        write_new(arguments.out, made.text.encode() + b"\n", mode=0o600)
    shown = grouped(code).replace(" ", "-")
    words = (
        f"till            {made.terminal_id}\naddress         {url}\nCA fingerprint  {grouped(made.ca_fingerprint)}\n"
        f"code            {shown}   (once, within 24 hours)\nas one code     {made.text}\n"
        f"at the till:    pos-agent enrol {url} --terminal {made.terminal_id} --ca-fingerprint {made.ca_fingerprint}"
    )
    return words, {**msgspec.to_builtins(made), "text": made.text}


def _merchant_of(session: Any, terminal_id: str) -> str:
    terminal = session.get(Terminal, terminal_id)
    return terminal.merchant_id if terminal is not None else enrolment.only_merchant(session)


def _supervisor(arguments: argparse.Namespace) -> Supervisor | None:
    """Ask for the first supervisor's PIN.

    Raises:
        ValueError: The PIN is weak, or the number is none.
    """
    if not arguments.supervisor:
        return None
    if not is_operator_no(arguments.supervisor):
        raise ValueError("an operator number has two digits, such as 01")
    prompt = f"PIN of supervisor {arguments.supervisor} (4 to 8 digits): "
    pin = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    return Supervisor(
        operator_no=arguments.supervisor,
        person_id=arguments.person or f"{arguments.terminal_id}/{arguments.supervisor}",
        name=arguments.name,
        pin_hash=hash_pin(pin),
    )


def _text(name: str) -> str:
    try:
        return Path(name).read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFileError(f"{name}: {error}") from error


def waiting(_arguments: argparse.Namespace, config: Config) -> Said:
    """List the tills that wait for a person."""
    with open_database(config.database.url) as database, database.reading() as session:
        new, expired = invitations.waiting(session), renewals.waiting(session)
    lines = [f"{one.terminal_id}  enrolment  {one.fingerprint}  since {one.since:%Y-%m-%d %H:%M} UTC" for one in new]
    lines += [f"{one.terminal_id}  renewal of an expired certificate" for one in expired]
    return "\n".join(lines) or "no till waits", {"enrolments": new, "renewals": expired}


def accept(arguments: argparse.Namespace, config: Config) -> Said:
    """Accept a till: its fingerprint is given or asked for; an expired certificate needs none."""
    authority, now, by = _authority(config), system_now(), f"cli:{getpass.getuser()}"
    with open_database(config.database.url) as database, database.writing() as session:
        if any(one.terminal_id == arguments.terminal_id for one in renewals.waiting(session)):
            renewals.accept(session, arguments.terminal_id, by=by, now=now)
            return f"{arguments.terminal_id} may renew", {"terminal_id": arguments.terminal_id, "what": "renewal"}
        invitations.accept(
            session,
            authority,
            arguments.terminal_id,
            fingerprint=arguments.fingerprint or _ask_fingerprint(),
            by=by,
            now=now,
            days=config.enrolment.lifetime_days,
        )
    return f"{arguments.terminal_id} is enrolled", {"terminal_id": arguments.terminal_id, "what": "enrolment"}


def _ask_fingerprint() -> str:
    if not sys.stdin.isatty():
        raise ValueError("give --fingerprint as the till shows it")
    return input("fingerprint as the till shows it: ")


def refuse(arguments: argparse.Namespace, config: Config) -> Said:
    """Refuse a till that waits."""
    with open_database(config.database.url) as database, database.writing() as session:
        found = [one for one in invitations.waiting(session) if one.terminal_id == arguments.terminal_id]
        if found:
            invitations.refuse(session, arguments.terminal_id, fingerprint=found[0].fingerprint, now=system_now())
        else:
            renewals.refuse(session, arguments.terminal_id)
    return f"{arguments.terminal_id} is refused", {"terminal_id": arguments.terminal_id}


def revoke(arguments: argparse.Namespace, config: Config) -> Said:
    """Deny a till, revoke its certificates, and tell the broker by a new list."""
    wanted, now = config.enrolment, system_now()
    with open_database(config.database.url) as database, database.writing() as session:
        enrolment.mark_terminal(session, arguments.terminal_id, is_denied=True)
        count = certificates.revoke_all(session, arguments.terminal_id, now=now)
    if wanted.crl_file:
        _publish(config)
    words = f"{arguments.terminal_id} is revoked, {count} certificates; {wanted.crl_file or 'no list is configured'}"
    return words, {"terminal_id": arguments.terminal_id, "certificates": count, "crl": wanted.crl_file}


def write_list(_arguments: argparse.Namespace, config: Config) -> Said:
    """Write the list of revoked certificates again, before the one that the broker has grows old."""
    _need(("enrolment.crl_file", config.enrolment.crl_file))
    _publish(config)
    return config.enrolment.crl_file, {"crl": config.enrolment.crl_file}


def _publish(config: Config) -> None:
    """Write the list and tell the broker; revocation itself is committed before.

    Raises:
        OSError: The list cannot be written, or the broker's command cannot be run or fails.
    """
    wanted, now = config.enrolment, system_now()
    with open_database(config.database.url) as database, database.reading() as session:
        data = certificates.revocation_list(session, _authority(config), wanted, now=now)
    try:
        certificates.publish_list(data, wanted)
    except subprocess.SubprocessError as error:
        raise OSError(f"{wanted.crl_file} is written, but the broker was not told: {error}") from error


def _authority(config: Config) -> Authority:
    return load_authority(config.enrolment.ca_cert_file, config.enrolment.ca_key_file)
