"""One suite that every connector passes. A connector joins by adding its `Facts` to `ALL` in facts.py."""
