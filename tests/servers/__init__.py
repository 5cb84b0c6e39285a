"""Servers that hold files, of their own kind each: started for a test session, on a free port, gone with it."""
