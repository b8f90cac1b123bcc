"""The MQTT 5 connection; in the runtime the only importer of paho (D7). Knows no topic and no message of the contract.

Terminal and back office use the same class. `connection` is the asyncio face, `_network` the thread behind it.
"""
