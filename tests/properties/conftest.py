"""Hypothesis for this folder: no deadlines, because a busy machine is not a fault of the code under test."""

from hypothesis import settings

settings.register_profile("properties", deadline=None, print_blob=True)
settings.load_profile("properties")
