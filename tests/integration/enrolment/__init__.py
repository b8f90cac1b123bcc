"""Enrolment and renewal, between real processes over real TLS."""
