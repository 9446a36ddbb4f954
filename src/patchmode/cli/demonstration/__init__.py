"""`patchmode demo`: the whole story against a local Azure Resource Manager that is started as a program.

Must not: be known to any other room, or take a shortcut that a user could not take: every step is the real command in a
process of its own, and what another tool would do (attaching a schedule) is a plain REST call.
"""
