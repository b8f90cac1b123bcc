"""The terminal daemon of pos-agent: refunds by scanned code on a till's own hardware."""

__version__ = "0.1.0"
