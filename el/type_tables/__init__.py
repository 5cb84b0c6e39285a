"""The rows of the type table, one module for each source database."""
