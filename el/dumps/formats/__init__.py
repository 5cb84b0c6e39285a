"""How the records of a file are read. One file a format."""
