"""Every rule id, in the order in which rules are judged and reported, and what each means in words for reports."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import WantedSettings
from patchmode.model.record import Level, RuleText

Check = Callable[[Machine, WantedSettings], Iterable[Reason]]
"""Yields the reasons of one subject. Pure; yields nothing where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its stable id, one line for tables, and the severities that it can give."""

    id: str
    title: str
    severities: tuple[Severity, ...]


_BLOCKS, _WARNS, _NOTES = (Severity.BLOCKS,), (Severity.WARNS,), (Severity.NOTES,)
_REFUSES = (*_BLOCKS, *_WARNS)
"""Refused by `schedule create` or `schedule attach`; told as a warning of what stands already."""

RULES: tuple[Rule, ...] = (
    Rule("arc-no-orchestration", "an Arc server has no patch mode", _BLOCKS),
    Rule("unknown-os", "neither the disk nor the machine says which system it runs", _BLOCKS),
    Rule("mode-os-mismatch", "the wanted patch mode does not exist on this operating system", _BLOCKS),
    Rule("reboot-needs-platform-mode", "a reboot setting needs AutomaticByPlatform", _BLOCKS),
    Rule("odd-settings", "patch settings are not as Azure writes them", _REFUSES),
    Rule("client-os", "Windows client systems are out of Update Manager's reach", (*_BLOCKS, *_NOTES)),
    Rule("appliance", "Update Manager does not patch the appliance or system that it runs", (*_BLOCKS, *_NOTES)),
    Rule("aks-managed", "the machine is a node of an AKS cluster", _BLOCKS),
    Rule("databricks-managed", "the machine belongs to a Databricks workspace", _BLOCKS),
    Rule("managed-group", "another resource manages the resource group", _BLOCKS),
    Rule("scale-set-member", "the machine belongs to a Flexible scale set", (*_BLOCKS, *_WARNS)),
    Rule("read-only-lock", "a ReadOnly lock covers the machine", _BLOCKS),
    Rule("provisioning-in-progress", "another operation is running on the machine", _BLOCKS),
    Rule("automatic-by-os-manual", "AutomaticByOS and Manual never follow each other", _BLOCKS),
    Rule("automatic-updates-fixed", "enableAutomaticUpdates does not fit and cannot be changed", _BLOCKS),
    Rule("hotpatch-on", "hotpatching stands against the wanted mode", (*_BLOCKS, *_NOTES)),
    Rule("agent-missing", "the machine was made without the VM agent", _BLOCKS),
    Rule("extensions-not-allowed", "the machine allows no extensions", _BLOCKS),
    Rule("detected-unsupported", "the last assessment found the image unsupported", _BLOCKS),
    Rule("image-excluded", "the support matrix names the image as unsupported", (*_BLOCKS, *_WARNS)),
    Rule("image-not-in-schedule-list", "no list of images for scheduled patching names the image", _WARNS),
    Rule("image-not-in-autopatch-list", "the list of images that Azure patches does not name the image", _WARNS),
    Rule("custom-image", "the machine was made from a custom image", (*_WARNS, *_NOTES)),
    Rule("edition-not-known", "nothing tells whether it runs Windows Server or a Windows client", _WARNS),
    Rule("unknown-patch-mode", "the machine states a patch mode that this version does not know", _WARNS),
    Rule("odd-document", "a member of the machine's document is not as Azure writes it", _WARNS),
    Rule("agent-not-ready", "the VM agent does not report Ready", _WARNS),
    Rule("patch-extension-failed", "the extension through which Azure patches the machine has failed", _WARNS),
    Rule("provisioning-failed", "the machine's last operation failed", _WARNS),
    Rule("no-os-profile", "the machine has no osProfile (attached, migrated or restored disk)", _NOTES),
    Rule("automatic-updates-off", "two sources disagree on AutomaticByPlatform without automatic updates", _NOTES),
    Rule("reboot-setting-overrides", "the machine's reboot setting overrides its schedule's", _NOTES),
    Rule("hotpatch-image", "the image could hotpatch, which schedules exclude", _NOTES),
    Rule("deallocated", "the machine is not running", _NOTES),
    Rule("prerequisite-missing", "a schedule is attached and its runs fail: the machine is not prepared", _REFUSES),
    Rule("off-at-window", "the machine is off, and its next window would miss it", _WARNS),
    Rule("tag-case", "a dynamic scope's tags match only when case is ignored", _WARNS),
    Rule("unknown-filter-member", "a dynamic scope filters by what this version cannot evaluate", _WARNS),
    Rule("dynamic-scope-limit", "a dynamic scope matches more machines than Azure lets it take", _WARNS),
    Rule("configuration-missing", "the assignment names a configuration that does not exist", _REFUSES),
    Rule("configuration-unseen", "the configuration stands where you cannot read", _NOTES),
    Rule("unknown-time-zone", "the schedule's time zone is none that this version knows", _REFUSES),
    Rule("unreadable-recurrence", "the schedule's window is written in no form that this version knows", _REFUSES),
    Rule("window-never-comes", "the schedule's recurrence names no day that exists", _REFUSES),
    Rule("schedule-expired", "the schedule has expired, or expires before its first window", _REFUSES),
    Rule("recurrence-unconfirmed", "two readings of the recurrence name different windows", _WARNS),
    Rule("window-too-short", "the schedule's window is too short", _REFUSES),
    Rule("window-too-long", "the window is longer than guest patching accepts", (*_BLOCKS, *_NOTES)),
    Rule("recurs-too-often", "the schedule repeats more often than guest patching accepts", _BLOCKS),
    Rule("start-before-midnight", "the window starts shortly before midnight", _WARNS),
    Rule("schedule-installs-nothing", "the schedule names no updates for the machine's system", _WARNS),
    Rule("next-window-far", "no window comes for weeks, and nothing patches it until then", (*_WARNS, *_NOTES)),
    Rule("expiration-empty", "the schedule's expiration is an empty text", _NOTES),
    Rule("platform-mode-schedule", "the schedule's InGuestPatchMode is not User", _WARNS),
    Rule("schedules-same-trigger", "two schedules start at the same instant: only one fires", _WARNS),
    Rule("schedules-overlap", "windows of two schedules overlap", _WARNS),
    Rule("assigned-twice", "two assignments name the same schedule for the machine", _NOTES),
    Rule("assignment-orphaned", "the assignment's machine was moved or is gone", (*_WARNS, *_NOTES)),
    Rule("wrong-maintenance-scope", "the configuration does not patch guests", _BLOCKS),
    Rule("assignment-name-taken", "an assignment of that name attaches another configuration", _BLOCKS),
    Rule("delete-lock", "a lock refuses to delete the assignment, so it stays", _BLOCKS),
    Rule("schedule-hits-nothing", "the configuration reaches no machine", _WARNS),
    Rule("schedule-limit", "a limit of Azure is reached", _REFUSES),
    Rule("schedule-limit-near", "a limit of Azure is nearly reached", _NOTES),
    Rule("window-too-close", "the next window starts too soon for a change to count", _WARNS),
    Rule("last-schedule", "without its last schedule Azure would patch the machine when it likes", _BLOCKS),
    Rule("moved-since-run", "the machine's patch settings are not what the run left", _BLOCKS),
    Rule("machine-replaced", "another machine stands under the same id", _BLOCKS),
    Rule("cannot-be-restored", "what stood there before cannot be restored", _BLOCKS),
    Rule("would-autopatch", "the step would hand the machine to Azure's own patching", _BLOCKS),
    Rule("not-changed-by-run", "the run did not change the machine, so there is nothing to undo", _BLOCKS),
)
"""The last five are rollback's own; those before them, from `prerequisite-missing` on, are about schedules."""

RULE_ORDER = {rule.id: index for index, rule in enumerate(RULES)}
"""Rule id → its place."""


def rule(rule_id: str) -> Rule:
    """The rule with this id.

    Raises:
        KeyError: there is none.
    """
    return RULES[RULE_ORDER[rule_id]]


_LEVELS = {Severity.BLOCKS: Level.ERROR, Severity.WARNS: Level.WARNING, Severity.NOTES: Level.NOTE}


@cache
def rule_texts() -> Mapping[str, RuleText]:
    """Rule id → its words, in the order of the registry."""
    texts = json.loads(files("patchmode.rules").joinpath("rule_texts.json").read_text(encoding="utf-8"))
    return {rule.id: _text(rule, texts[rule.id]) for rule in RULES}


def _text(rule: Rule, texts: Mapping[str, str]) -> RuleText:
    worst = next(severity for severity in Severity if severity in rule.severities)
    return RuleText(rule.id, rule.title, f"{texts['what']} {texts['why']}", texts["fix"], _LEVELS[worst])
