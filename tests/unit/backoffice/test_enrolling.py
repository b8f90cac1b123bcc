"""The calls of tills over HTTPS, the buttons of people, and what enrolment needs at the start."""

from pathlib import Path

import httpx
import pytest

from backoffice.config import Config, EnrolmentConfig, TlsConfig
from backoffice.enrolling import load_materials
from backoffice.store.enrolment_tables import CertificateRow
from backoffice.web.app import make_app
from backoffice.web.auth import hash_pin
from backoffice.web.gate import Desk
from pos_agent.domain.pins import WeakPinError
from pos_agent.errors import ConfigValueError
from pos_agent.protocol.enrolment import (
    key_fingerprint,
)
from tests.unit.backoffice.enrolment_ground import TILL, Ground, ground
from tests.unit.backoffice.world import PASSWORD

__all__ = ["ground"]
pytestmark = pytest.mark.slow


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
