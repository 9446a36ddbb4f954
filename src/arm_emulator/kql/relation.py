"""A query while it is being bound: the node so far, the steps on top of it, and the columns that are in sight.

Must not know syntax; the operator binders build with it.
"""

from dataclasses import dataclass, field

from arm_emulator.kql.code import Bound, Namespace
from arm_emulator.kql.plan import Compute, Node, Numbered, Pipe, Step, WindowFunction
from arm_emulator.kql.scopes import Row
from arm_emulator.kql.types import Slot, Type


@dataclass(slots=True)
class Relation:
    """Rows with columns. Columns out of sight may still be computed from; the plan leaves out what nobody reads."""

    base: Node
    row: Row
    space: Namespace
    steps: list[Step] = field(default_factory=list)
    has_order: bool = False
    """Whether its rows stand in an order that the query gave them."""

    def node(self) -> Node:
        """Return the node for everything so far, and start anew on top of it."""
        if self.steps:
            self.base = Pipe(self.base, tuple(self.steps), self.space)
            self.steps = []
        return self.base

    def computed(self, bound: Bound, name: str) -> Slot:
        """Return a column that holds `bound`; a plain column of the same name is not copied."""
        if len(bound.slots) == 1:
            (only,) = bound.slots
            if bound.text == only.variable and only.name == name and only.type is bound.type:
                return only
        slot = Slot(name, bound.type)
        self.steps.append(Compute(slot, bound.text, bound.slots))
        return slot

    def numbered(self, slot: Slot, reads: list[Slot], function: WindowFunction) -> None:
        """Add a column whose value depends on the rows around."""
        self.base = Numbered(self.node(), slot, tuple(reads), function)

    def moved(self, base: Node, row: Row, *, has_order: bool = False) -> "Relation":
        """Return a relation on another node with other columns."""
        return Relation(base, row, self.space, has_order=has_order)


def blank_text(kind: Type) -> str:
    """Return the text of a type's null."""
    return "''" if kind is Type.STRING else "None"
