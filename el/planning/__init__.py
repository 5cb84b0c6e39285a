"""What will be done with each table, and why, before a row moves."""
