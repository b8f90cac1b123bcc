"""What tills send: verified, deduplicated, judged, stored, answered. Blocking code, run on database threads."""
