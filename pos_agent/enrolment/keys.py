"""Makes keys on the till; they never leave it.

The device key is Ed25519 by libsodium, as everywhere. The TLS key is EC P-256, which every broker takes, made by the
system's `openssl`: a process that ends, where a library would stay in memory (ADR 0023).
"""

import subprocess
from pathlib import Path

from pos_agent.errors import EnrolmentError
from pos_agent.files import replace_file
from pos_agent.protocol.ed25519 import PrivateKey

#: A Pi Zero needs 0.1 s; a machine without randomness would wait for ever.
_TIMEOUT_S = 60
#: The least that `openssl req` asks for when the subject is given.
_REQUEST = b"[req]\ndistinguished_name=none\n[none]\n"


def device_key(path: Path) -> PrivateKey:
    """Return the device key; make it if there is none.

    Raises:
        EnrolmentError: The file is there and is no key: a person must look, it is never overwritten.
        OSError: The disk refuses.
    """
    if not path.exists():
        replace_file(path, PrivateKey.generate().to_pem())
    try:
        return PrivateKey.from_pem(path.read_bytes())
    except ValueError as error:
        raise EnrolmentError(f"{path}: {error}") from error


def tls_request(key_file: Path, csr_file: Path, *, terminal_id: str) -> str:
    """Return the certificate request (PEM) of the key in `key_file`; make what is missing.

    Both stay until the certificate is there: what a person accepted is this request.

    Raises:
        EnrolmentError: `openssl` is missing or fails.
        OSError: The disk refuses.
    """
    if not csr_file.exists():
        key = _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        replace_file(key_file, key)
        options = ("-key", str(key_file), "-subj", f"/CN={terminal_id}", "-config", "/dev/stdin")
        replace_file(csr_file, _openssl("req", "-new", *options, given=_REQUEST))
    return csr_file.read_text("ascii")


def _openssl(*arguments: str, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True, timeout=_TIMEOUT_S)
    except FileNotFoundError as error:
        raise EnrolmentError("openssl is not installed: apt-get install openssl") from error
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise EnrolmentError(f"openssl {arguments[0]}: {' '.join(words)}") from error
    except subprocess.TimeoutExpired as error:
        raise EnrolmentError(f"openssl {arguments[0]} did not end") from error
    return done.stdout
