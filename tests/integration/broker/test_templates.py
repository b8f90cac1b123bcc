"""The shipped broker files, as a production site would put them together."""

import dataclasses
import os
from pathlib import Path
from string import Template

import pytest

from tests.fakes.broker_client import Client, running, until
from tests.fixtures_broker import ROOT, Broker, Pki, free_port

pytestmark = pytest.mark.broker


async def test_back_office_listener_takes_only_certificates_of_its_own_authority(
    broker: Broker, pki: Pki, tmp_path: Path
) -> None:
    broker.stop()
    workers, port = Pki(tmp_path / "workers"), free_port()
    fill = {
        "port": broker.port,
        "bind": "127.0.0.1",
        "ca_file": pki.ca_file,
        "cert_file": broker.server[0],
        "key_file": broker.server[1],
        "acl_file": broker.folder / "acl",
        "persistence_dir": f"{broker.folder}/data/",
        "user": "root" if os.getuid() == 0 else "mosquitto",
        "backoffice_port": port,
        "backoffice_bind": "127.0.0.1",
        "backoffice_ca_file": workers.ca_file,
    }
    names = ("mosquitto.conf", "backoffice-listener.conf")
    parts = [Template((ROOT / "config/broker" / name).read_text()).substitute(fill) for name in names]
    broker.launch("per_listener_settings true\n" + "\n".join(parts))

    def office(authority: Pki) -> Client:
        cert_file, key_file = authority.issue("bo-1")
        settings = broker.settings_with("bo-1", cert_file, key_file)
        return Client(dataclasses.replace(settings, port=port), "pos/v1/t/+/up/#")

    async with running(office(workers)) as real, running(Client(broker.settings("t-1"))) as till:
        await till.connection.publish("pos/v1/t/t-1/up/refund", b"x")
        await until(lambda: bool(real.messages))
    async with running(office(pki), wait=False) as impostor:
        await until(lambda: bool(impostor.links))
        assert impostor.links[0].code == "E-CERT"


@pytest.mark.parametrize("name", ["mosquitto.conf", "backoffice-listener.conf"])
def test_templates_name_no_site_and_allow_nobody_unnamed(name: str) -> None:
    text = (ROOT / "config/broker" / name).read_text()
    for line in ("require_certificate true", "allow_anonymous false", "use_identity_as_username true"):
        assert line in text
    assert "/etc/" not in text


def test_acl_gives_no_client_the_whole_tree() -> None:
    for line in (ROOT / "config/broker/acl").read_text().splitlines():
        if line.startswith(("topic", "pattern")):
            assert line.split()[2] not in ("#", "pos/#", "pos/v1/#", "pos/v1/t/#"), line
