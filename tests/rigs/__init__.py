"""Device rigs that the tests and `make bench` share: the tests assert, the bench prints."""
