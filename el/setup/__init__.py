"""A repository of one's own made ready: what `init` asks, and the files that it writes where there are none."""
