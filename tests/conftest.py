"""For every test: an environment without anybody's Azure settings, and hypothesis without deadlines.

Two profiles, chosen by HYPOTHESIS_PROFILE: `repeatable` (the default) draws the same examples each time, so that a
change is judged by what it changed; `long` draws many new ones (`make slow`).
"""

import gc
import os
import sys

from hypothesis import settings

_SETTINGS = ("AZURE_", "ARM_", "PATCHMODE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_OURS = frozenset({"PATCHMODE_RECORDINGS", "PATCHMODE_MEASURED"})
"""What tests/contract reads, and no command."""

for _name in list(os.environ):
    if _name.upper().startswith(_SETTINGS) and _name not in _OURS:
        del os.environ[_name]

# Where the environment forbids bytecode, every process that a test starts would compile the whole program again, and
# every worker the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("repeatable", deadline=None, print_blob=True, derandomize=True, max_examples=40)
settings.register_profile("long", deadline=None, print_blob=True, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: no collection of garbage needs to look at it again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Libraries count what is left of theirs at the end of the process."""
    gc.unfreeze()
