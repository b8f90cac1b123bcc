"""The wire contract between terminal and back office: topics, messages, codec, signed envelope (design D7, D15).

docs/asyncapi.yaml is generated from here and is enough, alone, to write another back end. Pure: no I/O.
"""
