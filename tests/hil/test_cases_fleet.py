"""Configuration pushed by the fleet, as a cashier and a fleet operator see it (D16, D17; trust.md 13 to 16)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pos_agent.domain.desired import HealthCheck
from pos_agent.protocol import codec
from pos_agent.protocol.desired import CONFIG_TYPE, ConfigDesired
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.envelope import seal
from pos_agent.protocol.topics import Leaf, terminal_topic
from tests.hil.conftest import RunningBench
from tests.hil.spy import Spy
from tests.hil.till import Till

pytestmark = [pytest.mark.bench, pytest.mark.broker]

_TERMINAL = "t-demo-01"
_KEY = PrivateKey(b"\5" * 32)
_ISSUED = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def pushed_till(spied_till: Till, spied_bench: RunningBench) -> Iterator[Till]:
    """A cashier's till that has a fleet key pinned in its own file."""
    path = spied_bench.state_dir / "terminal.toml"
    text = path.read_text("utf-8")
    spied_till.client.power("cut")
    assert text.count("[fleet.keys]\n") == 1
    pinned = f'[fleet.keys]\n"fleet-a" = "{_KEY.public_key().base64}"\n'
    path.write_text(text.replace("[fleet.keys]\n", pinned), "utf-8")
    spied_till.power_on()
    spied_till.type_credentials()
    yield spied_till
    spied_till.client.power("cut")
    path.write_text(text, "utf-8")
    spied_till.power_on()


def push(spy: Spy, version: int, config: dict[str, Any]) -> None:
    """Publish a document as the fleet does, retained."""
    document = ConfigDesired(
        terminal_id=_TERMINAL,
        version=version,
        rollout="story",
        issued=_ISSUED,
        not_after=_ISSUED + timedelta(days=3650),
        config=config,
        confirm_within_s=10,
        health=(HealthCheck.PRINTER, HealthCheck.SCANNER),
    )
    envelope = seal(codec.encode(document), payload_type=CONFIG_TYPE, kid="fleet-a", key=_KEY)
    spy.publish(terminal_topic(_TERMINAL, Leaf.CFG_DESIRED), envelope, is_retained=True)


def wait_report(spy: Spy, version: int, state: str) -> dict[str, Any]:
    """Wait until the till reports a state of a version."""

    def found() -> list[dict[str, Any]]:
        bodies = [one.body for one in spy.heard("config.reported")]
        attempts = [(one, one.get("attempted", {})) for one in bodies]
        return [one for one, tried in attempts if (tried.get("version"), tried.get("state")) == (version, state)]

    spy.wait(lambda: bool(found()), f"version {version} {state}", timeout_s=60)
    return found()[-1]


@pytest.mark.exhaustive
def test_trust_15_good_configuration_stays_and_a_bad_one_goes_by_itself_without_network(
    pushed_till: Till, spy: Spy
) -> None:
    till, client = pushed_till, pushed_till.client
    push(spy, 5, {"printing": {"copies_customer": 2}})
    assert wait_report(spy, 5, "confirmed")["running"]["version"] == 5
    client.sign_in()
    till.refund(till.spare())
    till.wait_slips(3)
    till.to_menu()
    till.wait_printed()

    push(spy, 6, {"printing": {"copies_customer": 2}, "devices": {"printer": {"usb": "ffff:0001"}}})
    wait_report(spy, 6, "trial")
    client.broker("down")
    client.wait_device("printer", is_online=False, timeout_s=20)
    client.wait_device("printer", is_online=True, timeout_s=40)
    client.broker("up")
    told = wait_report(spy, 6, "rolled_back")
    assert (told["running"]["version"], told["highest_version"]) == (5, 6)
    assert (told["attempted"]["reason"], told["attempted"]["detail"]) == ("health", "printer")
    client.wait(lambda state: state["daemon"]["is_back_office_present"], "the back office", timeout_s=30)
    client.sign_in()
    request_id = till.refund(till.spare())
    till.wait_slips(6)
    assert till.wait_stored(request_id, "reviewing")["refund_request_id"] == request_id
