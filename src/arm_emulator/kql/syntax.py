"""The syntax tree of a query: what was written, with its places, and nothing of what it means.

Built by the parser, read by the binder. Frozen values; every node keeps the token where it starts so that a refusal can
name the place.
"""

from dataclasses import dataclass, field

from arm_emulator.kql.lexer import Token
from arm_emulator.kql.types import Type


@dataclass(frozen=True, slots=True)
class Node:
    """What every node has: the token it starts at."""

    at: Token


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A constant; `value` is in the run-time form that `values.py` describes, None is the type's null."""

    type: Type
    value: object


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A column, a let name, or (as a statement's first word) a table."""

    name: str


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`base.key` and `base['key']`."""

    base: "Expression"
    key: str


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`base[index]` where the index is not a string constant."""

    base: "Expression"
    index: "Expression"


@dataclass(frozen=True, slots=True)
class Star(Node):
    """`*`, as in `arg_max(x, *)`."""


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name(arguments)`."""

    name: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Labeled(Node):
    """`name = expression` as an argument, as in `arg_max(at, state = tostring(x))`."""

    name: str
    value: "Expression"


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`-x` and `+x`."""

    operator: str
    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Two operands and an operator, spelled as in the query in lower case."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Among(Node):
    """`in`, `!in`, `in~`, `!in~`, `has_any`, `has_all` and their list; `at` is the operator."""

    operator: str
    left: "Expression"
    items: tuple["Expression | Query", ...]


@dataclass(frozen=True, slots=True)
class Between(Node):
    """`between (low .. high)` and `!between`."""

    operator: str
    subject: "Expression"
    low: "Expression"
    high: "Expression"


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """`toscalar(query)`."""

    query: "Query"


Expression = Literal | Name | Member | Index | Star | Call | Labeled | Unary | Binary | Among | Between | Scalar


@dataclass(frozen=True, slots=True)
class Assigned(Node):
    """`name = expression`, or an expression whose column is named by Kusto's rules when `name` is empty."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class SortKey(Node):
    """One key of an order; nulls first unless said otherwise for ascending order, last for descending."""

    expression: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Where(Node):
    """`where condition`."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Extend(Node):
    """`extend a = x, ...`."""

    columns: tuple[Assigned, ...]


@dataclass(frozen=True, slots=True)
class Project(Node):
    """`project a = x, b, ...`."""

    columns: tuple[Assigned, ...]


@dataclass(frozen=True, slots=True)
class Select(Node):
    """`project-away`, `project-keep` and `project-reorder`: patterns, each with its order for a reorder."""

    mode: str
    patterns: tuple[tuple[Token, str, str], ...]


@dataclass(frozen=True, slots=True)
class Rename(Node):
    """`project-rename new = old, ...`."""

    pairs: tuple[tuple[Token, str, str], ...]


@dataclass(frozen=True, slots=True)
class Summarize(Node):
    """`summarize aggregates by keys`; `has_by` tells an absent `by`."""

    aggregates: tuple[Assigned, ...]
    keys: tuple[Assigned, ...]
    has_by: bool


@dataclass(frozen=True, slots=True)
class Distinct(Node):
    """`distinct a, b`; `columns` is empty for `distinct *`."""

    columns: tuple[Assigned, ...]


@dataclass(frozen=True, slots=True)
class Order(Node):
    """`order by` and `sort by`."""

    keys: tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class Serialize(Node):
    """`serialize`: the rows have an order from here on; with columns it extends them, too."""

    columns: tuple[Assigned, ...]


@dataclass(frozen=True, slots=True)
class Take(Node):
    """`take`, `limit`."""

    count: Expression


@dataclass(frozen=True, slots=True)
class Top(Node):
    """`top n by key`."""

    count: Expression
    key: SortKey


@dataclass(frozen=True, slots=True)
class Count(Node):
    """`count`, with the column's name when `as name` is written."""

    name: str = "Count"


@dataclass(frozen=True, slots=True)
class JoinKey(Node):
    """One equality of a join: the names of a column on each side."""

    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Join(Node):
    """`join kind=... (query) on ...` and `lookup`."""

    kind: str
    right: "Query"
    keys: tuple[JoinKey, ...]
    is_lookup: bool = False


@dataclass(frozen=True, slots=True)
class Union(Node):
    """`union kind=... withsource=... legs`."""

    kind: str
    source_column: str
    legs: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Expansion(Node):
    """One column of an mv-expand: `name = expression to typeof(type)`."""

    name: str
    expression: Expression
    type: Type | None


@dataclass(frozen=True, slots=True)
class MvExpand(Node):
    """`mv-expand`; `index_column` is empty when none is asked for."""

    columns: tuple[Expansion, ...]
    index_column: str
    bags_as_arrays: bool
    limit: int | None


@dataclass(frozen=True, slots=True)
class MvApply(Node):
    """`mv-apply columns on (operators)`: the operators run over the rows that each row expands to."""

    columns: tuple[Expansion, ...]
    index_column: str
    limit: int | None
    operators: tuple["Operator", ...]


@dataclass(frozen=True, slots=True)
class ParsePart(Node):
    """One part of a parse pattern: a `text`, a column (`name`, `type`), or `*` when both are empty."""

    text: str | None
    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Parse(Node):
    """`parse` and `parse-where`."""

    mode: str
    flags: str
    subject: Expression
    parts: tuple[ParsePart, ...]
    only_matches: bool


Operator = (
    Where | Extend | Project | Select | Rename | Summarize | Distinct | Order | Take | Top | Count | Join | Union
    | MvExpand | MvApply | Parse | Serialize
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Datatable(Node):
    """`datatable (name:type, …) [value, …]`: rows that the query itself brings."""

    columns: tuple["Parameter", ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Source(Node):
    """Where a query's rows come from: a table, a let name, or a call of a let function."""

    name: str
    arguments: tuple[Expression, ...] | None = None


@dataclass(frozen=True, slots=True)
class Query(Node):
    """A source and the operators behind it; `source` is None where the query starts with an operator."""

    source: "Source | Query | Datatable | None"
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """One parameter of a let function; `default` is None where every call must give it."""

    name: str
    type: Type
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class Lambda(Node):
    """The right side of `let f = (parameters) { statements; body }`."""

    parameters: tuple[Parameter, ...]
    lets: tuple["Let", ...]
    body: "Expression | Query"


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`let name = value;`."""

    name: str
    value: "Expression | Query | Lambda"


@dataclass(frozen=True, slots=True)
class Program(Node):
    """A whole text: its let statements and the one query that is answered."""

    lets: tuple[Let, ...] = field(default=())
    query: Query | None = None
