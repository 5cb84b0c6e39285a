"""The sample shop, and the demo that needs no server."""
