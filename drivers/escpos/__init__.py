"""ESC/POS receipt printers: encoder (pure), profiles, status, the printer itself."""
