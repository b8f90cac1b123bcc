"""A simulated acquirer: its own process with its own fsynced ledger.

It is the witness of the bench: what its ledger says has moved, moved, whatever happens to till and back office.
"""
