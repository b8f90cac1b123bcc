"""Byte links: serial, evdev, USB bulk; the only importers of pyserial and pyusb."""
