"""What a device is to the daemon: interfaces in UnifiedPOS words, and the supervisor that keeps devices open.

Drivers (top-level package `drivers`) implement these Protocols; nothing here knows a driver.
"""
