"""Budgets, measured: each row as a figure and a ratio to a floor of the same run. `make bench`; never a timed test."""
