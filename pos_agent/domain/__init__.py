"""The words of the trade as pure data and functions: money, ids, codes, refunds, slips, screens.

Pure: no I/O, nobody is asked for the time or a random number. Every other room imports this one; it imports only
`pos_agent.errors`.
"""
