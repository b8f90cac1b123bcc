"""Puts an enrolment document in place: files of the identity, and the keys of terminal.toml that it decides."""

import tomllib
from pathlib import Path

from pos_agent.enrolment.config_text import put, replace_section
from pos_agent.enrolment.files import install
from pos_agent.enrolment.steps import Places
from pos_agent.files import replace_file
from pos_agent.protocol.enrolment import EnrolmentDocument

_HEAD = """\
# Written by `pos-agent enrol`; every key is explained in docs/config.md. What is missing: the devices.
# `pos-agent devices` shows what is attached, `pos-agent devices commission` prints their sections.
"""


def place_files(document: EnrolmentDocument, places: Places) -> None:
    """Write CA certificates, look-up key, certificate and key; may be repeated.

    Raises:
        OSError: The disk refuses.
    """
    replace_file(places.broker_ca, document.broker_ca.encode())
    replace_file(places.office_ca, document.office_ca.encode())
    if document.lookup_key:
        replace_file(places.lookup_key, document.lookup_key.encode() + b"\n")
    install(places.cert_file, document.certificate.encode(), places.key_file, places.staged_key.read_bytes())


def place_config(document: EnrolmentDocument, places: Places, path: Path) -> None:
    """Write terminal.toml, or change in it what the document decides; devices, policy and comments stay.

    Raises:
        OSError: It cannot be read or written.
    """
    text = path.read_text("utf-8") if path.exists() else ""
    replace_file(path, config_text(text, document, places).encode(), mode=0o640)


def config_text(text: str, document: EnrolmentDocument, places: Places) -> str:
    """Return the new text of terminal.toml; empty `text` = there is none yet."""
    is_new = not text.strip()
    # The back office is online: it may not replace the keys of those who sign configuration (D16).
    if document.fleet_keys and not tomllib.loads(text).get("fleet", {}).get("keys"):
        text = replace_section(text or _HEAD, "fleet.keys", document.fleet_keys)
    terminal: dict[str, str | bool] = {
        "terminal_id": document.terminal_id,
        "merchant_id": document.merchant_id,
        "merchant_name": document.merchant_name,
        "store_name": document.store_name,
        "data_dir": str(places.data_dir),
    }
    if is_new:
        text = text or _HEAD
        terminal["production"] = True
    text = put(text, "terminal", terminal)
    files = {"ca_file": places.broker_ca, "cert_file": places.cert_file, "key_file": places.key_file}
    broker = {"url": document.broker_url} | {key: str(path) for key, path in files.items()}
    text = put(text, "broker", broker)
    trust: dict[str, str | bool] = {
        "device_key_file": str(places.device_key),
        "device_key_id": document.device_key_id,
        "lookup_key_file": str(places.lookup_key) if document.lookup_key else "",
    }
    text = put(text, "trust", trust)
    text = replace_section(text, "trust.back_office_keys", document.back_office_keys)
    return put(text, "renewal", {"url": document.office_url, "ca_file": str(places.office_ca)})
