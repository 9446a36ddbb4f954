"""Reports for people at a terminal: values in, lines out."""
