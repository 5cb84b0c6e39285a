"""The connectors, and the values that they take and give."""
