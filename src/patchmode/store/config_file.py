"""The user's file of defaults (TOML), and what az keeps of its own choice of subscription.

Must not: know which settings there are, or what they mean; `cli.configuring` says both.
"""

import configparser
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from patchmode.errors import UsageError
from patchmode.model.machine import Subscription
from patchmode.store.files import meant

AZURE_CLOUD = "AzureCloud"


def read_config(path: Path) -> Mapping[str, Any]:
    """The settings of a file, as TOML has them; none of them is judged.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        what = f"could not read the config file {path}: {error.strerror or error}."
        raise UsageError(what, advice=f"{meant(path)}PATCHMODE_CONFIG names the file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = f"the config file {path} is not TOML: {error}."
        raise UsageError(what, advice='One setting a line, such as: share = "50%"') from error


def az_subscription(folder: Path, cloud: str) -> tuple[Subscription, bool] | None:
    """The subscription that `az account set` chose, and whether its name tells it apart in that list.

    Args:
        folder: az's own, such as `~/.azure`.
        cloud: a cloud's name or the https URL of a Resource Manager; a choice made for another cloud is none here.

    Returns:
        None where az chose none for this cloud, or what it keeps cannot be read: it is az's file, and only an offer
        rests on it.

    Source: azure-cli-core, `_profile.py`: `subscriptions[]` of `azureProfile.json` (UTF-8 with a byte order mark) with
        `id`, `name`, `state`, `tenantId`, `environmentName`, `isDefault`; and `clouds.config`, a section for each
        registered cloud with `endpoint_resource_manager`.
    """
    try:
        document = json.loads((folder / "azureProfile.json").read_text(encoding="utf-8-sig"))
        entries = [one for one in document["subscriptions"] if isinstance(one, dict)]
        chosen = next((one for one in entries if one.get("isDefault") is True), None)
        if chosen is None or not _is_of(str(chosen.get("environmentName", "")), cloud, folder):
            return None
        found = Subscription(
            str(chosen["id"]), str(chosen["name"]), str(chosen.get("tenantId", "")), str(chosen.get("state", "Enabled"))
        )
    except (OSError, ValueError, KeyError, TypeError, configparser.Error):
        return None
    same = sum(str(one.get("name", "")).casefold() == found.name.casefold() for one in entries)
    return found, same == 1


def _is_of(environment: str, cloud: str, folder: Path) -> bool:
    """Whether what az calls an environment is this cloud."""
    if environment.casefold() == cloud.casefold():
        return True
    known = configparser.ConfigParser(interpolation=None)
    known.read(folder / "clouds.config", encoding="utf-8")
    endpoint = known.get(environment, "endpoint_resource_manager", fallback="")
    return bool(endpoint) and endpoint.rstrip("/").casefold() == cloud.rstrip("/").casefold()
