"""The local status socket: one JSON line, read only."""
