"""Why a till starts in the SAFE state (D18): code for screen, log and status socket."""

#: The configuration has a bad key; see `pos-agent check-config`.
BAD_CONFIG = "E-CONFIG"
#: The journal is damaged and was set aside, or its requests may be lost.
BAD_JOURNAL = "E-JOURNAL"
#: Three abnormal ends in ten minutes.
CRASHING = "E-CRASH"
#: Keys or certificates of the terminal are missing or unreadable.
BAD_IDENTITY = "E-CERT"
