"""Slips and the spooler that prints them. `slips` is pure; `spooler` is asynchronous and knows no printer model."""
