"""Schedules: windows, members, what is wrong with them, and what becomes of a run."""
