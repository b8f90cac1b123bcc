"""The MQTT 5 connection: own network thread, manual ack, a fresh client per connection; the only importer of paho."""
