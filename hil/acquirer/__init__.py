"""A simulated acquirer: its own process with its own fsynced ledger."""
