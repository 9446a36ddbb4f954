"""A plan in a form that a change board or another client takes: one file a form."""
