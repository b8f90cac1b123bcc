"""Displays: ANSI terminals and serial line displays."""
