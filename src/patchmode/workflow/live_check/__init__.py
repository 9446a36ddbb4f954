"""A live check: whether a machine may be asked, the experiments one after the other, and the undo."""
