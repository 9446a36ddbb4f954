"""What every provider shares: requests, errors, routing, throttling, paging, long-running operations.

Nothing in here knows a resource type of its own.
"""
