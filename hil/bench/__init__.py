"""The bench's page and HTTP API."""
