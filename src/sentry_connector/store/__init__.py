"""The connector's own database: accounts, DataSets, runs and leases; and the vault that seals tokens."""
