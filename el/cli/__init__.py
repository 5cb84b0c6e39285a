"""The commands: their arguments, and one call each."""
