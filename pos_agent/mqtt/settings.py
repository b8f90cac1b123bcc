"""How to reach a broker, and what to say to it."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from pos_agent.domain.config import BrokerConfig
from pos_agent.errors import ConfigValueError

#: Sent in CONNECT: un-acked messages that the broker may have on the way to us, and the largest packet.
#: Source: mqtt_fleet measurements; MQTT 5.0 section 3.1.2.11.
RECEIVE_MAXIMUM: Final = 20
MAXIMUM_PACKET_BYTES: Final = 256 * 1024
#: Our own outbound window is at most this, and at most the broker's Receive Maximum.
WINDOW: Final = 16
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """One broker, one identity.

    Attributes:
        host, port: Where the broker listens.
        is_encrypted: TLS with both certificates checked; False on loopback only.
        client_id: Equals the CN of the certificate.
        ca_file, cert_file, key_file: PEM files, read again at each connection, so that a renewed pair is taken up.
        keep_alive_s: MQTT keep alive; a silent broker is noticed within twice this time.
        session_expiry_s: How long the broker keeps our session.
        connect_timeout_s: For TCP and again for TLS and CONNACK.
        ack_timeout_s: A broker that owes a PUBACK longer than this is given up and connected again.
        backoff_first_s, backoff_cap_s: Pause before the next attempt: doubles, with jitter.
        window: Most un-acked publishes.
        receive_maximum: Most un-acked messages to us.
    """

    host: str
    port: int
    client_id: str
    is_encrypted: bool = True
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keep_alive_s: int = 20
    session_expiry_s: int = 86_400
    connect_timeout_s: float = 5.0
    ack_timeout_s: float = 10.0
    backoff_first_s: float = 0.5
    backoff_cap_s: float = 30.0
    window: int = WINDOW
    receive_maximum: int = RECEIVE_MAXIMUM

    @classmethod
    def from_broker(cls, broker: BrokerConfig, *, client_id: str) -> "MqttSettings":
        """Read the configuration.

        Raises:
            ConfigValueError: Not an mqtt or mqtts URL, no certificate files, or no TLS to a host that is not loopback.
        """
        parts = urlsplit(broker.url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise _bad_url("must be mqtts://host:port")
        try:
            port = parts.port or _PORTS[parts.scheme]
        except ValueError as error:
            raise _bad_url(str(error)) from error
        is_encrypted = parts.scheme == "mqtts"
        if not is_encrypted and not _is_loopback(parts.hostname):
            raise _bad_url("mqtt:// without TLS is for loopback only", hint="use mqtts://")
        if is_encrypted and not (broker.ca_file and broker.cert_file and broker.key_file):
            raise _bad_url("mqtts:// needs ca_file, cert_file and key_file")
        return cls(
            host=parts.hostname,
            port=port,
            client_id=client_id,
            is_encrypted=is_encrypted,
            ca_file=broker.ca_file,
            cert_file=broker.cert_file,
            key_file=broker.key_file,
            keep_alive_s=broker.keep_alive_s,
            session_expiry_s=broker.session_expiry_s,
        )


def _bad_url(message: str, hint: str = "") -> ConfigValueError:
    return ConfigValueError(message, key="broker.url", origin="configuration", hint=hint)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
