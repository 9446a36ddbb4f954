"""May a machine be set: every rule, what it looks at, and the one judgement."""
