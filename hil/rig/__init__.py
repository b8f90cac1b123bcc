"""Starts and stops broker, back office, acquirer, daemon and devices."""
