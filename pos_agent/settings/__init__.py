"""Configuration: load, validate, explain where each value came from, redact."""
