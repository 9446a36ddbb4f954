"""Whether what a principal was granted covers an action.

Must not: ask Azure, or know which actions a command needs.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any


def is_allowed(action: str, permissions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether permissions allow an action.

    Args:
        action: for example `Microsoft.Compute/virtualMachines/write`.
        permissions: objects with `actions` and `notActions`, each a list of texts in which `*` stands for anything.

    Source: Microsoft, "Understand Azure role definitions": an action is allowed where any one role has it in `actions`
    and not in the same role's `notActions`; `notActions` of one role take nothing from another. Case does not count.
    """
    return any(
        any(_covers(pattern, action) for pattern in entry.get("actions") or ())
        and not any(_covers(pattern, action) for pattern in entry.get("notActions") or ())
        for entry in permissions
    )


def lacking(action: str, granted: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    """The identities that are not allowed an action, in order; empty: all are.

    Args:
        action: as for `is_allowed`.
        granted: identity's name → its permissions, as `ports.Authorization.permissions` gives them.
    """
    return tuple(name for name, permissions in granted.items() if not is_allowed(action, permissions))


def _covers(pattern: str, action: str) -> bool:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, action, re.IGNORECASE) is not None
