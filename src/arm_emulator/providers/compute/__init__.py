"""Microsoft.Compute: virtual machines and as much of scale sets as their members need.

``routes.ROUTES`` is what the application takes; the other modules are functions over documents and know no HTTP.
"""
