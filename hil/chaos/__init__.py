"""Chaos: real processes under seeded faults, and a checker that believes only screens, paper, keys and the ledger.

`world` holds the processes, `cashier` and `reviewer` work, `faults` breaks, `history` writes down what was seen, and
`checker` judges it afterwards; it imports nothing of the rest but `sightings`, which reads screens and paper.
"""
