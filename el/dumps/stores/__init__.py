"""Where files are: a folder, a bucket, a server. One file a kind of store."""
