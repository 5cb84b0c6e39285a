"""Historical file dumps as a source: where files are, how their records are read, and which of them raw has."""
