"""patchmode."""
