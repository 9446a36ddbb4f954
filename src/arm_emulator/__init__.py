"""arm_emulator."""
