"""Between journal and broker: uplink, downlink, look-up, presence (D7)."""
