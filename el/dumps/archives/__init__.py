"""Files inside archives, each a file version of its own."""
