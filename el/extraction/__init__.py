"""From the source into landing files: slices, pace, retries, deletes."""
