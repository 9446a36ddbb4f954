"""What holds a change back: freezes, waves, limits, permissions."""
