"""From pasted text to machines and errors."""
