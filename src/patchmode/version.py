"""The version, by itself, so that every room can name it without knowing the others. Must not: hold anything else."""

__version__ = "0.1.0"
