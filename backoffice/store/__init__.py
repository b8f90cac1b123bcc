"""Tables, transactions, migrations of the back office."""
