"""The tools that an assistant is offered: each is one command, with its arguments as a JSON Schema.

A tool says and does what the command does, since it is the command: the same scope, the same document, the same exit
code. Must not: run anything, or know the protocol.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}}
_TEXT = {"type": "string", "minLength": 1}
_NUMBER = {"type": "integer", "minimum": 1}


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool.

    Attributes:
        schema: its JSON Schema, without the description.
        meaning: for the assistant.
        option: the option of the command that takes it; empty: it stands by itself, behind the options.
    """

    schema: Mapping[str, Any]
    meaning: str
    option: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        command: the words of the command after `patchmode`.
        meaning: what it is for, for the assistant.
        document: the name of the published document that it prints; `patchmode schema NAME` prints its schema.
        arguments: by the name that the assistant gives.
        required: names of those that must be given.
        is_writing: whether it may change machines; such a tool is offered with `--allow-writes` only.
    """

    command: tuple[str, ...]
    meaning: str
    document: str
    arguments: Mapping[str, Argument]
    required: tuple[str, ...] = ()
    is_writing: bool = False

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments; an argument that it does not name is refused."""
        properties = {name: {**one.schema, "description": one.meaning} for name, one in self.arguments.items()}
        return {
            "type": "object",
            "properties": properties,
            "required": list(self.required),
            "additionalProperties": False,
        }

    def words(self, given: Mapping[str, Any]) -> list[str]:
        """The command line without the program: options with their values in one word, then the rest behind `--`.

        So a value that begins with a hyphen stays a value: an assistant cannot add an option that the tool has not.

        Args:
            given: arguments as the schema has them.
        """
        options, rest = ["-o", "json"], []
        for name, argument in self.arguments.items():
            for value in _several(given.get(name)):
                if not argument.option:
                    rest.append(value)
                elif value is True:
                    options.append(argument.option)
                elif value is not False:
                    options.append(f"{argument.option}={value}")
        return [*self.command, *options, *(["--", *rest] if rest else [])]


def _several(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value


_SCOPE: Mapping[str, Argument] = {
    "subscriptions": Argument(_TEXTS, "Subscriptions, by id or name: all their machines.", "--subscription"),
    "management_groups": Argument(_TEXTS, "Management groups, by name.", "--management-group"),
    "resource_groups": Argument(_TEXTS, "Resource groups, by name or id.", "--resource-group"),
    "ids": Argument(_TEXTS, "Machines, by resource id.", "--ids"),
    "schedule": Argument(_TEXT, "All members of this schedule (maintenance configuration).", "--schedule"),
    "failed_since": Argument(
        _TEXT,
        "Machines whose last scheduled run since then failed on the prerequisite: 7d, or a date.",
        "--failed-since",
    ),
    "all": Argument({"type": "boolean"}, "Everything that the signed-in principal can see.", "--all"),
    "names": Argument(_TEXTS, "Only machines with a name of this pattern, for example web-*.", "--name"),
    "tags": Argument(_TEXTS, "Only machines with this tag: KEY or KEY=VALUE.", "--tag"),
    "os": Argument({"enum": ["windows", "linux"]}, "Only machines with this operating system.", "--os"),
}
QUERY = Argument(
    _TEXT,
    "A JMESPath expression that selects from the document, as az does: counts, or "
    "machines[?outcome=='schedule-fails'].name. Give one for a large fleet.",
    "--query",
)
_READ = {"query": QUERY}
_MACHINES = "Who patches each machine (orchestration, outcome and its reason), when, and what is wrong. "

TOOLS: Mapping[str, Tool] = {
    "audit": Tool(("audit",), f"{_MACHINES}Begin with query=counts.", "audit", {**_SCOPE, **_READ}),
    "explain": Tool(
        ("explain",),
        "One machine in full: its settings, the rules that were checked, schedules, outcome and reason.",
        "explain",
        {"machine": Argument(_TEXT, "Its resource id, GROUP/NAME, or its name."), **_READ},
        ("machine",),
    ),
    "plan": Tool(
        ("plan",),
        "A proposal: the exact changes that would make the machines ready for a schedule, written to a plan file whose "
        "path is in the answer; a person can review and apply it. It changes nothing in Azure.",
        "plan",
        {
            **_SCOPE,
            "then_attach": Argument(_TEXT, "Attach this schedule to each machine after its change.", "--then-attach"),
            **_READ,
        },
    ),
    "schedules": Tool(
        ("schedule", "list"),
        "Every schedule that patches guests: when, and how many machines it reaches.",
        "schedule-list",
        _READ,
    ),
    "schedule": Tool(
        ("schedule", "show"),
        "One schedule in full: its members, whether its next window will work for each, and its last run.",
        "schedule-show",
        {"schedule": Argument(_TEXT, "Its name or resource id."), **_READ},
        ("schedule",),
    ),
    "windows": Tool(
        ("schedule", "next"),
        "Coming maintenance windows: how many machines run, fail or are missed in each.",
        "schedule-next",
        {"days": Argument(_NUMBER, "How many days ahead.", "--days"), **_READ},
    ),
    "schedule_problems": Tool(
        ("schedule", "check"), "Problems of schedules, assignments and members.", "schedule-check", _READ
    ),
    "failures": Tool(
        ("schedule", "failures"),
        "How scheduled runs ended, why they failed, and what fixes it.",
        "schedule-failures",
        {"since": Argument(_TEXT, "7d, or a date.", "--since"), **_READ},
    ),
    "verify": Tool(
        ("verify",),
        "Read machines again from Azure Resource Manager and compare them with what a run was to set.",
        "verify",
        {"run": Argument(_TEXT, "A run's id, or latest."), **_READ},
        ("run",),
    ),
    "runs": Tool(("runs", "list"), "Every run on this computer, newest first.", "runs", _READ),
    "run": Tool(
        ("runs", "show"),
        "What one run did to each machine.",
        "run",
        {"run": Argument(_TEXT, "Its id, or latest."), **_READ},
        ("run",),
    ),
    "doctor": Tool(("doctor",), "Who is signed in, where, and which permissions are missing.", "doctor", _READ),
    "apply": Tool(
        ("apply",),
        "Apply a plan file, after a person has confirmed it in the client. It changes virtual machines in Azure; the "
        "run's report has the result of each, and `patchmode rollback RUN` undoes it where Azure allows that.",
        "run",
        {
            "file": Argument(_TEXT, "Path of the plan file, as the tool plan answered it."),
            "max_failures": Argument(_TEXT, "Stop after so many failures: 3, or 5%.", "--max-failures"),
            "canary": Argument(
                _NUMBER, "Change so many machines first, and the others only if they succeed.", "--canary"
            ),
            **_READ,
        },
        ("file",),
        is_writing=True,
    ),
}
"""Name → tool, in the order in which they are listed."""


def offered(*, with_writes: bool) -> Mapping[str, Tool]:
    """The tools of a session."""
    return {name: tool for name, tool in TOOLS.items() if with_writes or not tool.is_writing}


def shown(words: Sequence[str]) -> Sequence[str]:
    """A tool's command line as a person would type it: without the form of output that only programs need."""
    kept = [word for word in words if word != "--"]
    at = kept.index("-o")
    return [*kept[:at], *kept[at + 2 :]]
