"""The refund menu (扫码退款): a table of data, a pure machine, views, and one async controller.

Layer: above devices, journal, mqtt; below app. `table`, `machine`, `views`, `ports` are pure.
"""
