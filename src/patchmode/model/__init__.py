"""The nouns: frozen values that every other room speaks in.

Standard library only. Nothing here decides, reads, writes or prints.
"""
