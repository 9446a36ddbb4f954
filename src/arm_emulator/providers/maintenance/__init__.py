"""Microsoft.Maintenance, as far as scheduled guest patching needs it: configurations, assignments, dynamic scopes.

Everything is synchronous; no etag and no provisioning state. Running the windows that configurations describe is not
here.
"""
