"""Which api-versions are refused, and in whose words: one that is no date, and one newer than its provider knows.

Every date up to the newest known one is let through, for the emulator does not keep the list of what each provider ever
published; recorded calls of any age must replay. Must not know what an api-version changes in an answer.
"""

import re
from datetime import date

from arm_emulator.protocol.http import ArmError

_FORM = re.compile(r"(\d{4}-\d{2}-\d{2})(-(?:preview|alpha|beta|privatepreview))?", re.IGNORECASE)
ARM_VERSIONS = (
    "2025-04-01", "2025-03-01", "2024-11-01", "2024-08-01", "2024-07-01", "2024-03-01", "2023-07-01", "2022-12-01",
    "2022-09-01", "2022-06-01", "2022-05-01", "2022-01-01", "2021-04-01", "2021-01-01", "2020-10-01", "2020-06-01",
    "2020-01-01", "2019-11-01", "2019-10-01", "2019-06-01", "2019-05-01", "2018-05-01", "2018-02-01", "2018-01-01",
    "2017-05-10", "2016-09-01", "2016-06-01", "2015-11-01", "2015-01-01", "2014-04-01-preview",
)  # fmt: skip
"""What the refusal lists, newest first; some of Azure's long list, as its published refusals show it."""

COMPUTE_VERSIONS = (
    "2015-05-01-preview", "2015-06-15", "2016-03-30", "2016-04-30-preview", "2016-08-30", "2017-03-30", "2017-12-01",
    "2018-04-01", "2018-06-01", "2018-10-01", "2019-03-01", "2019-07-01", "2019-12-01", "2020-06-01", "2020-12-01",
    "2021-03-01", "2021-04-01", "2021-07-01", "2021-11-01", "2022-03-01", "2022-08-01", "2022-11-01", "2023-03-01",
    "2023-07-01", "2023-09-01", "2024-03-01", "2024-07-01", "2024-11-01", "2025-04-01", "2026-04-01",
)  # fmt: skip
"""Of virtual machines, oldest first, as azure-mgmt-compute 33 and 39 name them."""

MAINTENANCE_VERSIONS = (
    "2018-06-01-preview", "2020-04-01", "2020-07-01-preview", "2021-04-01-preview", "2021-05-01", "2021-09-01-preview",
    "2022-07-01-preview", "2022-11-01-preview", "2023-04-01", "2023-09-01-preview", "2023-10-01-preview",
    "2025-10-01-preview", "2025-11-01", "2026-02-01-preview",
)  # fmt: skip
"""Of Microsoft.Maintenance, oldest first: azure-mgmt-maintenance 2.1.0, and the public REST specifications."""

_KNOWN = {"microsoft.compute": COMPUTE_VERSIONS, "microsoft.maintenance": MAINTENANCE_VERSIONS}


def check_form(api_version: str) -> None:
    """Refuse a call whose api-version is missing or no calendar date with at most one of the known endings.

    Raises:
        ArmError: 400 MissingApiVersionParameter or InvalidApiVersionParameter.
    """
    if not api_version:
        message = "The api-version query parameter (?api-version=) is required for all requests."
        raise ArmError(400, "MissingApiVersionParameter", message, gateway=True)
    if _day(api_version) is None:
        message = f"The api-version '{api_version}' is invalid. The supported versions are '{','.join(ARM_VERSIONS)}'."
        raise ArmError(400, "InvalidApiVersionParameter", message, gateway=True)


def check_age(api_version: str, namespace: str, location: str, type_: str) -> None:
    """Refuse an api-version that is newer than the newest known one of a provider whose versions are known.

    Args:
        api_version: of a form that ``check_form`` lets through.
        namespace: of the provider that is asked, in any casing.
        location: of the resource, or ``''``.
        type_: the type within the provider, e.g. ``virtualMachines``.

    Raises:
        ArmError: 400 NoRegisteredProviderFound.
    """
    known = _KNOWN.get(namespace.lower())
    day = _day(api_version)
    if known is not None and day is not None and day > max(filter(None, map(_day, known))):
        raise unknown_version(api_version, location, type_, known)


def unknown_version(api_version: str, location: str, type_: str, known: tuple[str, ...]) -> ArmError:
    """The front door's refusal of an api-version that a provider does not have."""
    message = (
        f"No registered resource provider found for location '{location}' and API version '{api_version}' for type "
        f"'{type_}'. The supported api-versions are '{', '.join(known)}'."
    )
    return ArmError(400, "NoRegisteredProviderFound", message, gateway=True)


def _day(api_version: str) -> date | None:
    found = _FORM.fullmatch(api_version)
    if found is None:
        return None
    try:
        return date.fromisoformat(found[1])
    except ValueError:
        return None
