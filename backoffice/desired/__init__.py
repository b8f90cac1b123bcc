"""Signed configuration at the back office (D16, D17): keys and bundles made offline, pushed, told about."""
