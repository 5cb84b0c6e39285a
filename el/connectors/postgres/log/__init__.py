"""Logical replication: the slot, the messages of pgoutput, and the reads of a table out of them."""
