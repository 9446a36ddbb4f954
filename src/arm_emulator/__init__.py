"""A local Azure Resource Manager that real clients accept.

It answers over TLS on loopback as the public service was recorded to answer, and it refuses (501 ``NotEmulated``) what
it does not emulate. It never imports ``patchmode`` and never contacts any other host.
"""
