"""Keypads: evdev."""
