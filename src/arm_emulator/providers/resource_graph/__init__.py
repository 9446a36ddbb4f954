"""Azure Resource Graph: the query endpoint, the tables' rows, and an index that may lag behind the providers."""
