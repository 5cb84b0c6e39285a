"""From landing files into raw: packages, the ledger, the lock, the warehouses."""
