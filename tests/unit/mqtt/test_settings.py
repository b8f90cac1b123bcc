import pytest

from pos_agent.domain.config import BrokerConfig
from pos_agent.errors import ConfigValueError
from pos_agent.mqtt.settings import MqttSettings


def with_files(url: str) -> BrokerConfig:
    return BrokerConfig(url=url, ca_file="ca", cert_file="cert", key_file="key")


def test_settings_of_mqtts_url_are_encrypted_with_default_port() -> None:
    settings = MqttSettings.from_broker(with_files("mqtts://broker.shop"), client_id="t-1")
    assert (settings.host, settings.port, settings.is_encrypted, settings.client_id) == (
        "broker.shop",
        8883,
        True,
        "t-1",
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_settings_without_tls_are_for_loopback(host: str) -> None:
    settings = MqttSettings.from_broker(BrokerConfig(url=f"mqtt://{host}:1884"), client_id="t-1")
    assert (settings.is_encrypted, settings.port) == (False, 1884)


@pytest.mark.parametrize(
    "url", ["mqtt://broker.shop", "mqtt://10.0.0.1", "http://localhost", "localhost:1883", "mqtts://", "mqtt://[::1]:x"]
)
def test_settings_of_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigValueError, match=r"broker\.url"):
        MqttSettings.from_broker(with_files(url), client_id="t-1")


def test_settings_of_mqtts_without_certificates_are_refused() -> None:
    with pytest.raises(ConfigValueError, match="cert_file"):
        MqttSettings.from_broker(BrokerConfig(url="mqtts://localhost"), client_id="t-1")
