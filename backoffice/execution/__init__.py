"""Carrying out approved refunds at acquirers, once each (D10, D11)."""
