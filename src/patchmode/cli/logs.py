"""`-v`: what the rooms log, on standard error. Must not: log itself, or loosen what the wire redacts."""

import logging

from patchmode.cli.settings import Settings

_FORMAT = "%(asctime)s %(name)s %(message)s"


def begin(settings: Settings) -> None:
    """Send logs to standard error: once `-v` patchmode's own, twice those of azure-identity too; none otherwise."""
    if not settings.verbose:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%H:%M:%S"))
    for name in ("patchmode", "azure.identity")[: settings.verbose]:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
        logger.propagate = False
