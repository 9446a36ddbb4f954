"""How many examples a property draws: few each time, so that the suite is short, and many in `make slow`."""

import os

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"


def examples(each_time: int, at_length: int = 2000) -> int:
    """Return `each_time` in the ordinary suite and `at_length` in the long profile (tests/conftest.py)."""
    return at_length if LONG else each_time
