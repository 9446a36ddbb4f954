"""Options that several commands share, declared once: global options, scope, settings.

Must not: interpret. `scoping` turns scope options into a Scope; `wanting` turns settings options into WantedSettings.
"""

from collections.abc import Callable, Sequence
from typing import Any

import click

from patchmode.cli.choices import CLOUDS, FILE, FOLDER, GROUP, RUN_ENDS, SCHEDULE, SUBSCRIPTION, Fixed, Words
from patchmode.cli.logs import LOG_FORMATS
from patchmode.cli.logs import VARIABLE as LOG_VARIABLE
from patchmode.cli.run_options import NONE
from patchmode.cli.settings import EXCEL_CSV
from patchmode.model.guardrails import MOST_AT_ONCE
from patchmode.model.patch_settings import OTHER_NAMES, Orchestration, PatchMode

FORMATS = ("table", "json", "jsonl", "yaml", "tsv", "csv", EXCEL_CSV)
REPORT_FORMATS = ("html", "markdown", "xlsx", "junit", "sarif", "prometheus")
"""What `report` adds."""
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def global_options(formats: Sequence[str] = FORMATS) -> list[click.Option]:
    """The options that every command and the program itself take; a fresh list, since click binds them.

    Args:
        formats: what `-o` takes.
    """
    return [
        *_sign_in_options(),
        click.Option(
            ["--share"],
            metavar="P%",
            envvar="PATCHMODE_SHARE",
            help="Use at most this part of each of Azure's limits, for example 50%; the rest is left to others.",
        ),
        click.Option(
            ["-o", "--output"],
            type=Fixed(formats),
            envvar="PATCHMODE_OUTPUT",
            help="Format of the result on standard output (default: table, or json with --query); yaml and tsv as az "
            "prints them, csv-excel for Excel, with a byte order mark so that it reads umlauts.",
        ),
        click.Option(["--query"], metavar="JMESPATH", help="Select from the JSON result, as az does."),
        click.Option(
            ["--state-dir"],
            metavar="DIR",
            type=FOLDER,
            envvar="PATCHMODE_STATE_DIR",
            help="Folder of the run journals.",
        ),
        click.Option(["--no-color"], is_flag=True, help="No colours; NO_COLOR is honoured too."),
        click.Option(
            ["--no-progress"], is_flag=True, envvar="PATCHMODE_NO_PROGRESS", help="No progress on standard error."
        ),
        click.Option(
            ["--log-format"],
            type=Fixed(LOG_FORMATS),
            envvar=LOG_VARIABLE,
            help="Standard error as text (default), or as json: one JSON object a line for a log collector, the last "
            "one with the exit code; no bars, no questions.",
        ),
        click.Option(["-v", "--verbose"], count=True, help="Log requests, without secrets; twice for more."),
        click.Option(["--debug"], is_flag=True, help="Log whole requests and answers, without secrets, as az does."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Only errors on standard error."),
    ]


def _sign_in_options() -> list[click.Option]:
    """Where a command goes, and as whom."""
    return [
        click.Option(
            ["--cloud"],
            type=CLOUDS,
            metavar="NAME|URL",
            envvar="PATCHMODE_CLOUD",
            help="AzureCloud (default), AzureUSGovernment, AzureChinaCloud, or the https URL of a Resource Manager.",
        ),
        click.Option(
            ["--identity-file"],
            metavar="FILE",
            type=FILE,
            envvar="PATCHMODE_IDENTITY_FILE",
            help="Sign in as the service principals of this file, which share the work.",
        ),
        click.Option(
            ["--tenant"],
            metavar="ID",
            envvar="PATCHMODE_TENANT",
            help="Sign in to this tenant; of an identity file that names several, use the principals of this one.",
        ),
    ]


def patience_option() -> click.Option:
    """The patience of a command that has none of its own, as runs have; a fresh option."""
    return click.Option(
        ["--throttle-patience", "patience"],
        metavar="15m",
        envvar="PATCHMODE_THROTTLE_PATIENCE",
        help="How long a request waits when Azure asks to retry later (429, or 503 with Retry-After; default: 15m).",
    )


GLOBAL_NAMES = frozenset(
    {
        "help",
        "cloud",
        "identity_file",
        "tenant",
        "share",
        "output",
        "query",
        "state_dir",
        "patience",
        "no_color",
        "no_progress",
        "log_format",
        "verbose",
        "debug",
        "quiet",
    }
)
_SELECTORS = (
    "subscription",
    "management_group",
    "resource_group",
    "ids",
    "ids_file",
    "from_run",
    "graph_query",
    "schedule",
    "failed_since",
    "from_log",
    "everything",
    "shard",
)
_FILTERS = ("os", "location", "tag", "name", "power")
SCOPE_NAMES = frozenset(
    (*_SELECTORS, *(f"only_{name}" for name in _FILTERS), *(f"exclude_{name}" for name in _FILTERS))
)

RARE_NAMES = frozenset(
    {
        "identity_file",
        "tenant",
        "share",
        "state_dir",
        "no_color",
        "no_progress",
        "log_format",
        "patience",
        "graph_query",
        "shard",
        "longest_wait",
        "assignment_name",
        "concurrency",
        "operation_timeout",
        "throttle_patience",
        "max_failures_per_region",
        "max_failures_per_wave",
        "wave_pause",
        "last_wave",
        "strict",
        "kb_include",
        "kb_exclude",
        "package_include",
        "package_exclude",
        "expires",
        "host",
        "notify_file",
        "notify_as",
    }
)
"""What most people never need: shown last in the help."""

_FILTER_HELP = {
    "os": ("OS", "windows or linux"),
    "location": ("REGION", "Azure region"),
    "tag": ("KEY[=VALUE]", "tag, with that value or with any"),
    "name": ("GLOB", "name pattern, for example 'web-*'"),
    "power": ("STATE", "running, deallocated, stopped, …"),
}
_FILTER_WORDS = {"os": Words("windows", "linux"), "power": Words("running", "deallocated", "stopped")}


def scope_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the selectors (united) and the filters (each narrowing) to a command."""
    for option in reversed([*_selector_options(), *_filter_options()]):
        function = option(function)
    return function


def _selector_options() -> list[Decorator]:
    return [
        click.option(
            "-s",
            "--subscription",
            multiple=True,
            type=SUBSCRIPTION,
            metavar="ID|NAME",
            help="All machines of a subscription.",
        ),
        click.option(
            "-m", "--management-group", multiple=True, metavar="NAME", help="All subscriptions below a group."
        ),
        click.option(
            "-g", "--resource-group", multiple=True, type=GROUP, metavar="NAME|ID", help="All machines of a group."
        ),
        click.option("--ids", multiple=True, metavar="ID…", help="Machines by resource id; several may follow."),
        click.option(
            "--ids-file",
            multiple=True,
            type=FILE,
            metavar="FILE|-",
            help="Ids or names, one a line, or a table; - reads stdin.",
        ),
        click.option(
            "--from-run",
            multiple=True,
            type=RUN_ENDS,
            metavar="RUN[:END,…]",
            help="Machines of a run that ended so: failed, stale, unknown, notSent, blocked, notAttached, "
            "patchedByNobody, …; without END all that it was asked for.",
        ),
        click.option("--graph-query", multiple=True, metavar="KQL", help="Your own Resource Graph query; returns id."),
        click.option(
            "--schedule",
            multiple=True,
            type=SCHEDULE,
            metavar="ID|NAME",
            help="All members of a maintenance configuration, static and dynamic.",
        ),
        click.option(
            "--failed-since",
            metavar="7d|DATE",
            help="Machines whose last scheduled run since then failed on the prerequisite.",
        ),
        click.option(
            "--from-log",
            multiple=True,
            type=FILE,
            metavar="FILE|-",
            help="All machines named in pasted text: portal error, activity log, Terraform, az; - reads stdin.",
        ),
        click.option("--all", "everything", is_flag=True, help="Everything the signed-in principal can see."),
        click.option(
            "--shard",
            metavar="I/N",
            envvar="PATCHMODE_SHARD",
            help="Only the subscriptions of shard I of N; the N shards together are the whole scope.",
        ),
    ]


def _filter_options() -> list[Decorator]:
    made: list[Decorator] = []
    for name, (metavar, text) in _FILTER_HELP.items():
        words = _FILTER_WORDS.get(name)
        only, what = f"only_{name}", f"Only: {text}."
        made.append(click.option(f"--{name}", only, multiple=True, type=words, metavar=metavar, help=what))
    for name, (metavar, text) in _FILTER_HELP.items():
        words = _FILTER_WORDS.get(name)
        made.append(click.option(f"--exclude-{name}", multiple=True, type=words, metavar=metavar, help=f"Not: {text}."))
    return made


_NOT_TO_CHOOSE = (Orchestration.NOT_SET, Orchestration.NOT_APPLICABLE)
_OTHER_NAMES = {
    **{one.portal_name: one.option for one in Orchestration if one not in _NOT_TO_CHOOSE},
    **{one.value: one.option for one in Orchestration if one not in _NOT_TO_CHOOSE},
    **{name: one.option for name, one in OTHER_NAMES.items()},
}
"""How tables, JSON, the portal and Microsoft's pages call what `--to` takes."""
_REFUSED_NAMES = {
    PatchMode.AUTOMATIC_BY_PLATFORM.value: "it is the patch mode of two orchestrations, customer-managed-schedules and "
    "azure-managed",
    **{
        name: "it says that a machine has no patch mode, and cannot be chosen"
        for one in _NOT_TO_CHOOSE
        for name in (one.portal_name, one.value, one.option)
    },
}
"""What tables and Azure print and nobody can ask for, with the reason."""


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the settings that a plan may change."""
    orchestrations = (
        "customer-managed-schedules",
        "azure-managed",
        "automatic-by-os",
        "manual",
        "image-default",
        "keep",
    )
    options: list[Decorator] = [
        click.option(
            "--to",
            "orchestration",
            type=Fixed(orchestrations, also=_OTHER_NAMES, refused=_REFUSED_NAMES),
            help="Patch orchestration (default: customer-managed-schedules), also by the portal's name or JSON's; keep "
            "leaves it as it is.",
        ),
        click.option("--periodic-assessment", type=Fixed(("on", "off")), help="Assess for updates every 24 h."),
        click.option(
            "--reboot",
            type=Fixed(("IfRequired", "Never", "Always")),
            help="Reboot setting; on a machine it overrides its schedule's.",
        ),
        click.option("--hotpatch", type=Fixed(("off",)), help="Turn hotpatch off where it blocks the wanted mode."),
        click.option("--include-scale-set-members", is_flag=True, help="Also change Flexible scale-set members."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


SETTINGS_NAMES = frozenset({"orchestration", "periodic_assessment", "reboot", "hotpatch", "include_scale_set_members"})


def apply_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add how a plan is carried out: confirmation, limit on changes, failure budgets, waves, freezes, concurrency."""
    yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
    return max_changes_option(yes(carrying_options(wave_gate_options(function))))


def resume_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a run may be held back by otherwise than when it began."""
    yes = click.option(
        "-y", "--yes", is_flag=True, help="Do not ask; after a spent failure budget also give one that allows more."
    )
    return yes(carrying_options(wave_gate_options(max_changes_option(function))))


max_changes_option = click.option(
    "--max-changes",
    metavar="N|P%",
    envvar="PATCHMODE_MAX_CHANGES",
    help="Refuse a plan that would change more machines, or more of the scope "
    "(default: 50% where a scope is applied with --yes and more than 500 machines would change).",
)


def carrying_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add failure budgets, freezes, concurrency, patience, and how strictly a machine must be as planned."""
    options: list[Decorator] = [
        click.option(
            "--max-failures",
            metavar="N|P%",
            help="Send nothing more after so many failures of the run, of settings or schedules. No more machines are "
            "under way than may still fail, so no more fail (unless --concurrency is given). A percentage is rounded "
            "down, to 1 at least: 5% of 30 machines is 1. none: any number.",
        ),
        click.option(
            "--max-failures-per-region",
            metavar="N|P%",
            help="Send nothing more to a region after so many failures there; counted as by --max-failures.",
        ),
        freeze_option,
        click.option(
            "--concurrency",
            type=CountOrNone(1, MOST_AT_ONCE),
            metavar="N",
            help="Machines under way at once, each from its request until its end is known; a failure budget may then "
            "be exceeded by N - 1 (default: no bound; with a failure budget or canaries 1 at first, 1 more for each "
            "that succeeds, never more than may still fail). Azure's limits are kept whatever it is.",
        ),
        click.option(
            "--operation-timeout",
            type=SecondsOrNone(min=0, min_open=True),
            default=1800.0,
            show_default=True,
            metavar="SECONDS",
            help="A machine whose operation has not ended after so long is reported as unknown.",
        ),
        click.option(
            "--throttle-patience",
            default="15m",
            show_default=True,
            metavar="15m",
            help="How long a request waits when Azure asks to retry later (429, or 503 with Retry-After); what could "
            "not be sent by then is not sent, and `runs resume` sends it.",
        ),
        click.option(
            "--strict/--no-strict",
            help="Refuse a machine when anything of it changed since the plan, a tag for example, not only what the "
            "plan depends on.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def freeze_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the spans in which nothing is sent; `rules.freeze_grammar` reads them."""
    return click.option(
        "--freeze",
        multiple=True,
        type=FreezeText(),
        envvar="PATCHMODE_FREEZE",
        metavar="SPAN",
        help="Send nothing then: 2026-12-20/2027-01-03, 'Fri 16:00-Mon 06:00 Europe/Berlin', '08:00-18:00'; none: no "
        "freeze.",
    )(function)


def wave_gate_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what is asked of a wave before the next one begins."""
    options: list[Decorator] = [
        click.option(
            "--max-failures-per-wave",
            metavar="N|P%",
            help="Send nothing more after so many failures in one wave, counted as by --max-failures (default: a wave "
            "ends whatever fails in it, and after failures the next is not begun).",
        ),
        click.option("--wave-pause", metavar="30m", help="Time from the end of a wave to the beginning of the next."),
        click.option(
            "--last-wave",
            type=CountOrNone(min=1),
            metavar="N",
            help="Apply only the first N waves. `runs resume RUN --last-wave M` applies more; none: all.",
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


class CountOrNone(click.IntRange):
    """A number in a range, or `none`, which lifts what the run keeps."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; None for `none`."""
        return None if _is_none(value) else super().convert(value, param, ctx)


class SecondsOrNone(click.FloatRange):
    """A span in seconds, or `none`, which is the standard one again."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number; None for `none`."""
        return None if _is_none(value) else super().convert(value, param, ctx)


def _is_none(value: Any) -> bool:
    return isinstance(value, str) and value.strip().casefold() == NONE


class FreezeText(click.ParamType[str]):
    """A freeze as it was written; in the environment several are separated by semicolons."""

    name = "span"
    envvar_list_splitter = ";"


def summary_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a table's summary counts by; `results` hands it on as it is."""
    return click.option(
        "--summary",
        type=Fixed(("subscription", "group", "none")),
        help="Count the machines by subscription or by group, above the table (default on a terminal: by subscription "
        "where the table is longer than the screen, by group where it has one subscription).",
    )(function)


longest_wait_option = click.option(
    "--longest-wait",
    default="45d",
    show_default=True,
    metavar="45d",
    envvar="PATCHMODE_LONGEST_WAIT",
    help="Report a machine or schedule whose next window is farther away (next-window-far).",
)
"""Its value is read by `cli.spans.wait_from`."""
