"""Fleet keys (D16): made and used on a machine without network, kept in a file that a passphrase opens.

The file is JSON: who it is for people, the salt and costs, and a box with kid and seed. Who changes the readable part
changes nothing: kid and public key are compared with what is in the box.

Source:
    RFC 9106 (Argon2id); libsodium "Secret-key authenticated encryption" (XSalsa20-Poly1305), nonce in front of the box.
"""

import getpass
import os
import re
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

import msgspec
from nacl.exceptions import CryptoError
from nacl.pwhash import argon2id
from nacl.secret import SecretBox
from nacl.utils import random

from pos_agent.errors import ConfigFileError
from pos_agent.protocol.ed25519 import PrivateKey, PublicKey

MIN_PASSPHRASE: Final = 12
_KIND: Final = "pos-agent fleet key"
_KID = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_MOST_BYTES: Final = 4096


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: str
    v: int
    kid: str
    public_key: str
    salt: str
    opslimit: int
    memlimit: int
    box: str


class _Content(msgspec.Struct, frozen=True):
    kid: str
    seed: bytes


class FleetKey(msgspec.Struct, frozen=True):
    """A key that is open: signs configurations until the process ends."""

    kid: str
    private: PrivateKey

    @property
    def public_key(self) -> PublicKey:
        """Return what terminals pin."""
        return self.private.public_key()


def make(path: Path, *, kid: str, passphrase: str) -> FleetKey:
    """Make a key and its file, readable by its owner only.

    Raises:
        ValueError: A kid that cannot be one, or a short passphrase.
        FileExistsError: Never overwrites a key.
    """
    if _KID.fullmatch(kid) is None:
        raise ValueError("a kid is a-z, 0-9, dot, dash, underscore, at most 40, such as fleet-2026a")
    if len(passphrase) < MIN_PASSPHRASE:
        raise ValueError(f"the passphrase has {len(passphrase)} characters, at least {MIN_PASSPHRASE} are needed")
    key = FleetKey(kid, PrivateKey.generate())
    opslimit, memlimit = argon2id.OPSLIMIT_MODERATE, argon2id.MEMLIMIT_MODERATE
    salt = random(argon2id.SALTBYTES)
    box = _box(passphrase, salt, opslimit, memlimit)
    content = msgspec.json.encode(_Content(kid, key.private.seed))
    file = _File(
        kind=_KIND,
        v=1,
        kid=kid,
        public_key=key.public_key.base64,
        salt=b64encode(salt).decode(),
        opslimit=opslimit,
        memlimit=memlimit,
        box=b64encode(box.encrypt(content)).decode(),
    )
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(file)) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
    return key


def open_key(path: Path, passphrase: str) -> FleetKey:
    """Open a key file.

    Raises:
        ConfigFileError: Missing, no fleet key, changed, readable by others, or another passphrase.
    """
    file = _read(path)
    if path.stat().st_mode & 0o077:
        raise ConfigFileError(f"{path}: others may read it; chmod 600, or make another key")
    try:
        box = _box(passphrase, b64decode(file.salt, validate=True), file.opslimit, file.memlimit)
        content = msgspec.json.decode(box.decrypt(b64decode(file.box, validate=True)), type=_Content)
        key = FleetKey(content.kid, PrivateKey(content.seed))
    except (CryptoError, ValueError, TypeError, msgspec.DecodeError) as error:
        raise ConfigFileError(f"{path}: another passphrase, or a damaged file") from error
    if (key.kid, key.public_key.base64) != (file.kid, file.public_key):
        raise ConfigFileError(f"{path}: kid or public key was changed")
    return key


def public_part(path: Path) -> tuple[str, str]:
    """Return kid and public key (base64) as the file says, without opening it.

    Raises:
        ConfigFileError: Missing or no fleet key.
    """
    file = _read(path)
    return file.kid, file.public_key


def read_passphrase(descriptor: int | None, *, prompt: str, is_new: bool = False) -> str:
    """Read a passphrase from an open file descriptor (its first line) or, without one, from the terminal.

    It is never an argument or a variable of the environment: others could read it in the list of processes.

    Raises:
        ValueError: No terminal and no descriptor, or the repetition differs.
    """
    if descriptor is not None:
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.readline().rstrip(b"\r\n").decode()
    if not sys.stdin.isatty():
        raise ValueError("no terminal to ask for the passphrase; give it with --passphrase-fd N")
    given = getpass.getpass(prompt)
    if is_new and getpass.getpass("the same again: ") != given:
        raise ValueError("the two passphrases differ")
    return given


def _read(path: Path) -> _File:
    try:
        data = path.read_bytes()
        if len(data) > _MOST_BYTES:
            raise ValueError("too large")
        file = msgspec.json.decode(data, type=_File)
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise ConfigFileError(f"{path}: is no fleet key: {error}") from error
    if file.kind != _KIND or file.v != 1:
        raise ConfigFileError(f"{path}: is {file.kind!r} version {file.v}, not {_KIND!r} version 1")
    return file


def _box(passphrase: str, salt: bytes, opslimit: int, memlimit: int) -> SecretBox:
    if memlimit > argon2id.MEMLIMIT_SENSITIVE or opslimit > argon2id.OPSLIMIT_SENSITIVE:
        raise ValueError("costs above what we make")
    return SecretBox(argon2id.kdf(SecretBox.KEY_SIZE, passphrase.encode(), salt, opslimit=opslimit, memlimit=memlimit))
