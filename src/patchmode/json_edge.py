"""What every JSON document of ours has in common: camelCase members, nothing unknown, nothing changed after reading.

Must not: know any document; each stands beside what writes or reads it.
"""

import msgspec


class Edge(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, gc=False):
    """The base of a document's structs. A reader of one refuses members that it does not know."""
