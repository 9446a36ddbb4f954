"""Schedules: read, created, attached and detached."""
