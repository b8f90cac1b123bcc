"""What the commands about the hash chains do: verify, anchor, compare (I6)."""

import argparse
from pathlib import Path

import msgspec

from backoffice import anchoring, anchors, audit
from backoffice.clock import system_now
from backoffice.config import Config
from backoffice.signing import load_signer, public_key_of
from backoffice.store.database import open_database
from pos_agent.protocol.ed25519 import PublicKey


def verify(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Check the chain of every request, and every head that was anchored.

    Raises:
        ValueError: A chain is not whole, or not what was anchored; names each.
    """
    files = arguments.anchors or _configured(config)
    keys = _keys(arguments.key, config) if files else {}
    with open_database(config.database.url) as database, database.reading() as session:
        found = audit.verify(session)
        anchored = {str(path): anchoring.verify(session, path, keys) for path in files}
    lines = [f"  {request_id}: {problem}" for request_id, problem in sorted(found.differences.items())]
    lines += [f"  anchors: {each.difference}" for each in anchored.values() if each.difference]
    if lines:
        raise ValueError("\n".join([f"NOT WHOLE: {len(lines)} differences, {found.requests} requests", *lines]))
    words = [
        f"whole: {found.requests} requests, {found.deeds} deeds of the office, {found.lines} lines, head {found.head}"
    ]
    words += [
        f"anchors: {path}: {each.heads} heads in {each.lines} lines agree, the last of "
        f"{f'{each.last_at:%Y-%m-%d %H:%M} UTC' if each.last_at else 'never'}"
        for path, each in anchored.items()
    ]
    if not files:
        words.append("no anchor file yet: who can write the database could have rewritten a chain")
    return "\n".join(words), {**msgspec.to_builtins(found), "anchors": msgspec.to_builtins(anchored)}


def _configured(config: Config) -> list[Path]:
    path = Path(config.audit.anchor_file)
    return [path] if config.audit.anchor_file and path.exists() else []


def _keys(earlier: list[str], config: Config) -> dict[str, PublicKey]:
    """Return the keys that may have signed anchors: ours, and those of before that were named."""
    keys = {config.signing.kid: public_key_of(Path(config.signing.key_file))} if _has_key(config) else {}
    for pair in earlier:
        kid, _, key = pair.partition("=")
        keys[kid] = PublicKey.from_base64(key)
    return keys


def _has_key(config: Config) -> bool:
    return Path(config.signing.key_file).exists()


def anchor(_arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Write the heads of all chains that grew to the anchor file.

    Raises:
        ValueError: No file is configured.
    """
    if not config.audit.anchor_file:
        raise ValueError("no audit.anchor_file is configured")
    path, signer = Path(config.audit.anchor_file), load_signer(Path(config.signing.key_file), config.signing.kid)
    with open_database(config.database.url) as database, database.reading() as session:
        count = anchoring.append(session, path, signer, system_now)
    return f"{path}: {count} heads", {"anchor_file": str(path), "heads": count}


class _Heads(msgspec.Struct):
    """The file that ``pos-agent audit verify --heads`` writes."""

    terminal_id: str
    heads: list[str]


def compare(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Compare a till's chain with what the till told us.

    Raises:
        ValueError: The file cannot be read, or the chains differ; names the first difference.
    """
    if arguments.head:
        return _compare_slip(arguments, config)
    if arguments.file is None:
        raise ValueError("needs a file of 'pos-agent audit verify --heads', or --terminal and --head of a shift slip")
    chain = msgspec.json.decode(arguments.file.read_bytes(), type=_Heads)
    with open_database(config.database.url) as database, database.reading() as session:
        found = anchors.compare(session, chain.terminal_id, chain.heads)
    words = f"{found.terminal_id}: {found.lines} lines, {found.agreed} of {found.known} heads known here agree"
    if found.purged:
        words += f", {found.purged} are of lines that the till has purged"
    if found.difference:
        raise ValueError(f"{words}\nfirst difference: {found.difference}")
    return f"{words}; head {chain.heads[-1] if chain.heads else '-'}", found


def _compare_slip(arguments: argparse.Namespace, config: Config) -> tuple[str, object]:
    """Say whether the head on a shift slip is one that this till told.

    Raises:
        ValueError: It is not; says what the till told last.
    """
    head = "".join(arguments.head.split()).lower()
    if not anchors.is_head(head) or not arguments.terminal:
        raise ValueError("--head is the 64 digits on the slip, --terminal the till's id")
    with open_database(config.database.url) as database, database.reading() as session:
        told = anchors.told(session, arguments.terminal, head)
        newest = anchors.newest(session, [arguments.terminal]).get(arguments.terminal)
    if told is not None:
        place = f"line {told.line}" if told.line else f"just before request {told.source}"
        words = f"{arguments.terminal}: the same head {head}, {place}, told {told.at:%Y-%m-%d %H:%M} UTC"
        return words, {"terminal_id": arguments.terminal, "head": head, "is_same": True, "line": told.line}
    last = f"head {newest.head} of line {newest.line}, {newest.at:%Y-%m-%d %H:%M} UTC" if newest else "nothing yet"
    raise ValueError(
        f"{arguments.terminal} never told this head; it told last {last}. A slip is told at the till's next "
        "connection; otherwise take 'pos-agent audit verify --heads FILE' and compare the file."
    )
