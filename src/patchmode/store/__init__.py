"""The files: plans, run journals, evidence. The only room that writes to disk."""
