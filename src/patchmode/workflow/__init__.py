"""The verbs: inventory, audit, plan, apply, verify, rollback, runs, doctor. Functions over ports, called by both faces.

Must not: speak HTTP, open files, print or exit; the rooms that do are handed in through `ports`.
"""
