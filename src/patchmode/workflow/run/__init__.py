"""What is written, and followed to its end: a run from its first request to its report."""
