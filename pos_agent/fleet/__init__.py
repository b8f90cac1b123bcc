"""Signed desired configuration: taken, tried, confirmed or rolled back (D16, D17).

Imported only where fleet keys are pinned. The rules are `domain.desired_rules`; this room gives them bytes and time.
"""
