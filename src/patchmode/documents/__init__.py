"""The JSON documents that leave the program, each defined once. Must not: decide, or know where a value came from."""
