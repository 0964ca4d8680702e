"""Real servers for the tests: Valkey, PostgreSQL and the programs of the portal itself."""
