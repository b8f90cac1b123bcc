"""MQTT 5 properties, between paho's objects and ours."""

from dataclasses import dataclass
from functools import lru_cache

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties as PahoProperties

from pos_agent.mqtt.messages import Properties, Will
from pos_agent.mqtt.settings import MAXIMUM_PACKET_BYTES, MqttSettings

_NONE = Properties()


@dataclass(frozen=True, slots=True)
class Limits:
    """What CONNACK allows us."""

    receive_maximum: int
    maximum_packet_bytes: int


def _empty(packet_type: int) -> PahoProperties:
    made: PahoProperties = PahoProperties(packet_type)  # type: ignore[no-untyped-call]  # paho has no types here
    return made


def connect(settings: MqttSettings) -> PahoProperties:
    """Return the properties of CONNECT."""
    properties = _empty(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = settings.session_expiry_s
    properties.ReceiveMaximum = settings.receive_maximum
    properties.MaximumPacketSize = MAXIMUM_PACKET_BYTES
    return properties


def limits(connack: PahoProperties | None) -> Limits:
    """Return the limits of CONNACK; absent ones have MQTT's defaults (MQTT 5.0 sections 3.2.2.3.3 and 3.2.2.3.6)."""
    return Limits(
        receive_maximum=int(getattr(connack, "ReceiveMaximum", 65_535)),
        maximum_packet_bytes=int(getattr(connack, "MaximumPacketSize", 268_435_455)),
    )


def will(wanted: Will) -> PahoProperties:
    """Return the properties of the will."""
    properties = _empty(PacketTypes.WILLMESSAGE)
    properties.WillDelayInterval = wanted.delay_s
    if wanted.content_type:
        properties.ContentType = wanted.content_type
    return properties


@lru_cache(maxsize=16)  # paho builds all of MQTT's tables for each object, and most of ours differ in nothing
def publish(wanted: Properties) -> PahoProperties | None:
    """Return the properties of a PUBLISH, None if there are none; paho only reads them."""
    if wanted == _NONE:
        return None
    properties = _empty(PacketTypes.PUBLISH)
    if wanted.content_type:
        properties.ContentType = wanted.content_type
    if wanted.response_topic:
        properties.ResponseTopic = wanted.response_topic
    if wanted.correlation_data:
        properties.CorrelationData = wanted.correlation_data
    if wanted.message_expiry_s is not None:
        properties.MessageExpiryInterval = wanted.message_expiry_s
    if wanted.user_properties:
        properties.UserProperty = list(wanted.user_properties)
    return properties


def of_message(found: PahoProperties | None) -> Properties:
    """Read the properties of a message."""
    if found is None:
        return _NONE
    return Properties(
        content_type=getattr(found, "ContentType", ""),
        response_topic=getattr(found, "ResponseTopic", ""),
        correlation_data=bytes(getattr(found, "CorrelationData", b"")),
        message_expiry_s=getattr(found, "MessageExpiryInterval", None),
        user_properties=tuple((name, value) for name, value in getattr(found, "UserProperty", ())),
    )
