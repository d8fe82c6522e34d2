"""The ledger: what textbooks say about training deep networks, each claim with the verdict of this run's data."""
