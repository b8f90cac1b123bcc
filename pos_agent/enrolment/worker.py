"""The process that renews for the daemon: configuration on standard input, one `Outcome` on standard output.

A process of its own, so that HTTP, and whatever a server answers, never gets into the daemon's memory.
"""

import sys
from pathlib import Path

import msgspec

from pos_agent.domain.config import Config
from pos_agent.enrolment.renew import renew
from pos_agent.errors import PosAgentError
from pos_agent.protocol.ed25519 import PrivateKey
from pos_agent.protocol.enrolment import State, refusal


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it went: `code` and `detail` why not."""

    state: State
    code: str = ""
    detail: str = ""


def work(config: Config) -> Outcome:
    """Ask once."""
    try:
        key = PrivateKey.from_pem(Path(config.trust.device_key_file).read_bytes())
        answer = renew(config, key)
    except PosAgentError as error:
        return Outcome(state=State.REFUSED, code=error.code, detail=str(error))
    except (OSError, ValueError) as error:
        return Outcome(state=State.REFUSED, code="E-RENEW", detail=str(error))
    return Outcome(state=answer.state, code=refusal(answer, "E-RENEW") if answer.state is State.REFUSED else "")


if __name__ == "__main__":
    outcome = work(msgspec.json.decode(sys.stdin.buffer.read(), type=Config))
    sys.stdout.write(msgspec.json.encode(outcome).decode() + "\n")
