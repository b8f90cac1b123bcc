"""What speaks to hardware; implements `pos_agent.devices.interfaces`. Sees interfaces, domain and errors only."""
