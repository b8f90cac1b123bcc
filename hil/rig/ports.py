"""Free TCP ports on loopback, and folders short enough for Unix sockets."""

import hashlib
import socket
import tempfile
from pathlib import Path

#: sockaddr_un holds 108 bytes with the final NUL (unix(7)); some room is left for file names.
MAX_SOCKET_PATH_BYTES = 100
#: Where the bench's page is served if nobody else is there.
DEFAULT_PORT = 8765


def is_port_free(port: int) -> bool:
    """Return whether nobody listens on this loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(preferred: int = 0) -> int:
    """Return `preferred` if it is free, else any free loopback port."""
    if preferred and is_port_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def socket_folder(state_dir: Path) -> Path:
    """Return a folder for Unix sockets: inside `state_dir`, or in the temporary folder when that path is too long."""
    folder = state_dir / "run"
    if len(str(folder / "printer.sock").encode()) >= MAX_SOCKET_PATH_BYTES:
        digest = hashlib.sha256(str(state_dir).encode()).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"pos-agent-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder
