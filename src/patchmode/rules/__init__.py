"""Decisions: pure functions from machines as observed and settings wanted to findings, outcomes and plans.

Must not: read, write, wait, log or look at a clock. Rules know the model and nothing else of the house.
"""
