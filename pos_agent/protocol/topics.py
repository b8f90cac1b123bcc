"""MQTT topics under ``pos/v1/`` and who may write them."""

from enum import StrEnum

PREFIX = "pos/v1"
BACK_OFFICE_STATE = f"{PREFIX}/backend/state"


class Leaf(StrEnum):
    """The last part of a terminal's topic: ``pos/v1/t/{terminal_id}/<leaf>``."""

    UP_REFUND = "up/refund"
    UP_ACK = "up/ack"
    UP_SYNC = "up/sync"
    UP_QUERY = "up/query"
    UP_EVENT = "up/event"
    UP_TELE = "up/tele"
    DOWN_ACK = "down/ack"
    DOWN_REFUND = "down/refund"
    DOWN_ANSWER = "down/answer"
    STATE = "state"
    CFG_DESIRED = "cfg/desired"
    CFG_REPORTED = "cfg/reported"


#: What the terminal subscribes to (besides `BACK_OFFICE_STATE`).
DOWN_FILTER = "down/#"


def terminal_topic(terminal_id: str, leaf: Leaf | str) -> str:
    """Return the full topic of one terminal."""
    return f"{PREFIX}/t/{terminal_id}/{leaf}"


def parse_terminal_topic(topic: str) -> tuple[str, str] | None:
    """Split a terminal's topic into (terminal_id, leaf); None if it is not one."""
    parts = topic.split("/", 4)
    if len(parts) != 5 or parts[:3] != ["pos", "v1", "t"]:
        return None
    return parts[3], parts[4]
