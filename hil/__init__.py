"""The bench: simulators, rig, web page and API, acquirer, scenarios.

Never in the wheel; imports only the protocol and domain packages of pos_agent.
"""
