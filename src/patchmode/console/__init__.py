"""The web console: pages over the same `workflow` functions that the command line calls.

Must not: decide anything about machines, speak to Azure or write files by itself. What it needs is handed in (`rooms`).
"""
