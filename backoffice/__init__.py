"""The merchant back office: ingest, review, execution, results.

Knows only the protocol, domain, i18n and mqtt packages of pos_agent.
"""
