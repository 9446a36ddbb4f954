"""The protocols that `arm` and `store` fulfil and `workflow` speaks to. Must not: hold behaviour."""
