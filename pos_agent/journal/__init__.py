"""The terminal's journal: SQLite, WAL, synchronous=FULL, one writer thread (D1, D6). Knows no network and no device."""
