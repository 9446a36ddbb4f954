"""Terraform's modules: folders of `.tf` files, their variables and locals, and the calls between them.

Must not: know a resource. Source of the rules: HashiCorp, "Input variables" (order of precedence) and "Modules"
(local paths begin with `./` or `../`).
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from posixpath import basename, dirname, normpath

from patchmode.model.iac import Term
from patchmode.rules.iac.hcl import Block, HclFile, evaluated

DEEPEST_CALL = 10
MOST_CALLS = 50
"""Of one module that are looked at, each with its own values."""
_DEEPEST_LOOKUP = 8


@dataclass(frozen=True, slots=True)
class Located:
    """A block or expression with its file."""

    path: str
    block: Block


@dataclass(frozen=True, slots=True)
class Module:
    """A folder of `.tf` files."""

    folder: str
    files: tuple[HclFile, ...]
    variables: Mapping[str, Located]
    locals: Mapping[str, Located]
    """Name → the `locals` block that has it."""

    def blocks(self, *types: str) -> Iterator[Located]:
        """Its blocks of these types, in the order of files and lines."""
        for file in self.files:
            yield from (Located(file.path, one) for one in file.body.blocks if one.type in types)


def modules_of(files: Iterable[HclFile]) -> Mapping[str, Module]:
    """Folder → module."""
    folders: dict[str, list[HclFile]] = {}
    for file in files:
        folders.setdefault(normpath(dirname(file.path) or "."), []).append(file)
    return {folder: _module(folder, tuple(members)) for folder, members in folders.items()}


def _module(folder: str, files: tuple[HclFile, ...]) -> Module:
    bare = Module(folder, files, {}, {})
    variables = {one.block.labels[0]: one for one in bare.blocks("variable") if one.block.labels}
    names = {name: one for one in bare.blocks("locals") for name in one.block.attributes}
    return Module(folder, files, variables, names)


@dataclass(frozen=True, slots=True)
class Values:
    """What `.tfvars` files set, by variable: of those that Terraform reads by itself, and of others."""

    own: Mapping[str, Term]
    others: Mapping[str, Term]
    """Read only where somebody names the file with `-var-file`."""


NO_VALUES = Values({}, {})


def values_of(files: Iterable[HclFile], folders: Iterable[str]) -> Mapping[str, Values]:
    """Folder of a module → the values for it.

    Args:
        files: every `.tfvars` that was read.
        folders: of modules. A file that Terraform does not read by itself may be meant for each folder above it.
    """
    own: dict[str, dict[str, Term]] = {folder: {} for folder in folders}
    others: dict[str, dict[str, Term]] = {folder: {} for folder in own}
    # Terraform reads terraform.tfvars first, then *.auto.tfvars in the order of their names.
    for file in sorted(files, key=lambda one: (basename(one.path) != "terraform.tfvars", one.path)):
        folder = normpath(dirname(file.path) or ".")
        is_own = basename(file.path) == "terraform.tfvars" or file.path.endswith(".auto.tfvars")
        terms = {
            name: replace(evaluated(node, lambda _: None), span=None, origin=f"{file.path}:{node.start_point.row + 1}")
            for name, node in file.body.attributes.items()
        }
        for above in [folder] if is_own else _and_above(folder):
            if above in own:
                (own if is_own else others)[above].update(terms)
    return {folder: Values(own[folder], others[folder]) for folder in own}


def _and_above(folder: str) -> Iterator[str]:
    yield folder
    while folder not in {"", ".", "/"} and not folder.endswith(".."):
        folder = dirname(folder) or "."
        yield folder


class Scope:
    """What references mean in one module, as one call of it has it.

    Args:
        module: the folder.
        values: of `.tfvars`, for a module that nothing calls.
        call: the block that calls it; None: it is applied by itself.
        caller: the scope of that block.
    """

    def __init__(
        self, module: Module, values: Values, call: Located | None = None, caller: "Scope | None" = None
    ) -> None:
        self.module = module
        self.call = call
        self._values = values
        self._caller = caller
        self._known: dict[tuple[str, ...], Term | None] = {}
        self._depth = 0

    @property
    def prefix(self) -> str:
        """What addresses in it begin with: `module.web.`."""
        if self.call is None or self._caller is None:
            return ""
        return f"{self._caller.prefix}module.{'.'.join(self.call.block.labels)}."

    @property
    def via(self) -> str:
        """The place of the call; empty: none."""
        return "" if self.call is None else f"{self.call.path}:{self.call.block.line}"

    @property
    def depth(self) -> int:
        """How many calls lead to it."""
        return 0 if self._caller is None else self._caller.depth + 1

    def attribute(self, block: Block, name: str) -> Term | None:
        """The value of an argument; None: it is absent or null."""
        node = block.attributes.get(name)
        if node is None:
            return None
        found = evaluated(node, self.lookup)
        return None if found.is_literal and found.value is None else found

    def lookup(self, names: tuple[str, ...]) -> Term | None:
        """The value of a reference; None: it is of something else than a variable or a local."""
        if len(names) < 2 or names[0] not in {"var", "local"} or self._depth > _DEEPEST_LOOKUP:
            return None
        if names not in self._known:
            self._depth += 1
            found = self._variable(names[1]) if names[0] == "var" else self._local(names[1])
            self._depth -= 1
            for name in names[2:]:
                found = None if found is None else found.members.get(name)
            self._known[names] = found
        return self._known[names]

    def _variable(self, name: str) -> Term | None:
        declared = self.module.variables.get(name)
        if self.call is not None and self._caller is not None and name in self.call.block.attributes:
            given = self._caller.attribute(self.call.block, name)
            # What a call sets to null is the default, if the variable is declared so; its value is not known here.
            return given and replace(given, span=None, origin=given.origin or f"set at {self.via}")
        if name in self._values.own:
            return self._values.own[name]
        default = None if declared is None else declared.block.attributes.get("default")
        if declared is None or default is None:
            found = None
        else:
            found = replace(
                evaluated(default, lambda _: None),
                span=None,
                origin=f"default of var.{name}, {declared.path}:{default.start_point.row + 1}",
            )
        other = self._values.others.get(name)
        if other is not None and (found is None or (other.value, other.members) != (found.value, found.members)):
            return None
        return found

    def _local(self, name: str) -> Term | None:
        where = self.module.locals.get(name)
        if where is None:
            return None
        found = evaluated(where.block.attributes[name], self.lookup)
        return replace(found, span=None, origin=found.origin or f"local.{name}, {where.path}:{found.line}")


def scopes(modules: Mapping[str, Module], values: Mapping[str, Values]) -> tuple[Sequence[Scope], Sequence[str]]:
    """Every module as it is used: by each call among the files, or by itself where nothing calls it.

    Returns:
        The scopes, and each call of a module that is not among the files: its place and its source.
    """
    calls = [(folder, one) for folder, module in modules.items() for one in module.blocks("module")]
    called = {target for folder, one in calls if (target := _target(folder, one, modules)) not in {None, folder}}
    elsewhere = [
        f"{one.path}:{one.block.line} {_source(one) or 'a source that is not known'}"
        for folder, one in calls
        if _target(folder, one, modules) is None
    ]
    waiting = deque(
        Scope(module, values.get(folder, NO_VALUES)) for folder, module in modules.items() if folder not in called
    )
    found: list[Scope] = []
    counts: dict[str, int] = {}
    while waiting:
        scope = waiting.popleft()
        counts[scope.module.folder] = counts.get(scope.module.folder, 0) + 1
        if counts[scope.module.folder] > MOST_CALLS:
            continue
        found.append(scope)
        if scope.depth < DEEPEST_CALL:
            for one in scope.module.blocks("module"):
                target = _target(scope.module.folder, one, modules)
                if target is not None:
                    waiting.append(Scope(modules[target], NO_VALUES, one, scope))
    # Modules that call each other in a circle are applied by nothing; they are still looked at.
    found += [Scope(module, NO_VALUES) for folder, module in modules.items() if folder not in counts]
    return found, elsewhere


def _source(call: Located) -> str:
    node = call.block.attributes.get("source")
    term = None if node is None else evaluated(node, lambda _: None)
    return term.value if term is not None and term.is_literal and isinstance(term.value, str) else ""


def _target(folder: str, call: Located, modules: Mapping[str, Module]) -> str | None:
    source = _source(call)
    if not source.startswith(("./", "../")) and source not in {".", ".."}:
        return None
    target = normpath(f"{folder}/{source}")
    return target if target in modules else None
