"""Barcode scanners over serial."""
