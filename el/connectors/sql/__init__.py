"""What SQL databases share: building statements, reading in batches, writing."""
