"""Microsoft.HybridCompute: Arc-enabled servers, read, and their periodic assessment set."""
