"""A camera as the till's scanner: frames and decoders live in a process of their own, results come over a socket."""
