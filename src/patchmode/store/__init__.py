"""The files: plans, run journals, evidence. The only room that writes to disk.

Must not: decide anything about a machine, or speak to Azure.
"""
