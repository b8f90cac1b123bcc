"""Devices as bytes: ptys, a FIFO, a simulated USB printer. Imports nothing of the drivers."""
