"""What an assistant may do with patchmode, over the Model Context Protocol (`patchmode mcp`)."""
