"""The command line: options in, workflow called, report out.

The only room that prints to the terminal, reads the environment and decides exit codes. Must not: decide anything about
machines, build requests or write files; the workflow, the wire and the store do.
"""
