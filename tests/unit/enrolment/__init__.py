"""Enrolment at the till."""
