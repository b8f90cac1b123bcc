"""The record of configurations on the disk: one small file, replaced whole (ADR 0021).

A write is one transaction: the new file is flushed, renamed over the old one, and the folder flushed. A cut at any
point leaves the old record or the new one. Its own digest in front tells a file that rotted.
"""

from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from pos_agent.domain.desired_book import Book
from pos_agent.errors import JournalError
from pos_agent.files import replace_file

FILE_NAME: Final = "config-book"
#: Four documents of 64 KiB in base64, and the attempts.
_MOST_BYTES: Final = 1024 * 1024
_DECODER = msgspec.json.Decoder(Book)


class BookDamagedError(JournalError):
    """The record of configurations cannot be read; it was set aside."""

    code = "E-CONFIG"


def load_book(folder: Path) -> Book | None:
    """Return the record; None if there is none yet.

    Raises:
        BookDamagedError: Its digest or content is wrong; nothing was changed.
        OSError: It cannot be read.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    digest, _, body = data.partition(b"\n")
    if len(data) > _MOST_BYTES or sha256(body).hexdigest().encode() != digest:
        raise BookDamagedError(f"{path}: the digest is not of the content")
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BookDamagedError(f"{path}: {error}") from error


def set_aside(folder: Path) -> Path:
    """Give a damaged record another name, so that a new one begins; return the name."""
    path = folder / FILE_NAME
    number = 1
    while (kept := folder / f"{FILE_NAME}.damaged-{number}").exists():
        number += 1
    path.rename(kept)
    return kept


def save_book(folder: Path, book: Book) -> None:
    """Replace the record; it is durable when this returns.

    Raises:
        OSError: The disk is full or read-only; the old record stands.
    """
    body = msgspec.json.encode(book)
    data = sha256(body).hexdigest().encode() + b"\n" + body
    replace_file(folder / FILE_NAME, data)
