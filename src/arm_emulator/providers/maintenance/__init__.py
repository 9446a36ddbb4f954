"""Microsoft.Maintenance, as far as scheduled guest patching needs it.

What callers do (configurations, assignments, dynamic scopes, apply updates, cancellations) is synchronous: no etag and
no provisioning state. What the clock does (the runs of windows) is in ``runner`` and what it calls.
"""
