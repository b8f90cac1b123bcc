"""How a box becomes a till and stays one: enrolment and renewal over HTTPS (docs/enrolment.md, ADR 0023).

Short-lived processes only: `pos-agent enrol` by a technician, `pos-agent renew` as a child of the daemon. The daemon
itself imports `files` alone, so that neither HTTP nor key making is ever in its memory.
"""
