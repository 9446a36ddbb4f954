"""What Azure Policy's definitions select, whom an assignment covers, and why not."""
