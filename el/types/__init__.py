"""How a value travels: the rule of a type, what a warehouse holds, times in parts. No database's name stands here."""
