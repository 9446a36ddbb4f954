"""How many steps a backtracking matcher takes: what `re` does, counted and not timed.

It walks the same parse tree as `re` and tries alternatives in the same order; `re`'s own shortcuts, which change no
growth, are left out. Repeats with a small bound count as a constant: they are cut to three.
"""

import re
from collections.abc import Iterator, Sequence
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

SMALL = 100
_SOME = "a0A_ \n\t-./'\"<>(){}[]\\:;,=@#é\x00~Zz9T"


class TooManyStepsError(Exception):
    """More than whatever grows with the text's length needs."""


class Counting:
    """Matches one pattern and counts.

    Args:
        pattern: as `re` takes it.
        flags: of `re`.
        most: steps after which it gives up.
    """

    def __init__(self, pattern: str, flags: int, most: int) -> None:
        self.tree = parser.parse(pattern, flags)
        self.flags = self.tree.state.flags
        self.most = most
        self.steps = 0
        self.text = ""
        self.groups: dict[int, tuple[int, int]] = {}

    def run(self, text: str, how: str) -> int:
        """The steps of `search` (from each place, as `findall` and `sub` too), `match` or `fullmatch`."""
        self.text, self.steps = text, 0
        start = 0
        while start <= len(text):
            ends = self._sequence(self.tree.data, 0, start, self.flags)
            found = next((end for end in ends if how != "fullmatch" or end == len(text)), None)
            if how != "search":
                break
            start = start + 1 if found is None else max(found, start + 1)
        return self.steps

    def _step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > self.most:
            raise TooManyStepsError

    def _sequence(self, nodes: Sequence[Any], at: int, pos: int, flags: int) -> Iterator[int]:
        if at == len(nodes):
            yield pos
            return
        for end in self._one(nodes[at], pos, flags):
            yield from self._sequence(nodes, at + 1, end, flags)

    def _one(self, node: Any, pos: int, flags: int) -> Iterator[int]:  # noqa: C901  a branch for each kind of node
        kind, value = node
        self._step()
        if kind in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            if pos < len(self.text) and fits(node, self.text[pos], flags):
                yield pos + 1
        elif kind is op.AT:
            if self._stands_at(value, pos, flags):
                yield pos
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from self._sequence(branch.data, 0, pos, flags)
        elif kind is op.SUBPATTERN:
            group, add, remove, inner = value
            for end in self._sequence(inner.data, 0, pos, (flags | add) & ~remove):
                if group is not None:
                    self.groups[group] = (pos, end)
                yield end
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            yield from self._repeat(kind, value, pos, flags)
        elif kind is op.ATOMIC_GROUP:
            yield from _first(self._sequence(value.data, 0, pos, flags))
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            if self._looks(value, pos, flags) is (kind is op.ASSERT):
                yield pos
        elif kind is op.GROUPREF:
            begins, ends = self.groups.get(value, (0, 0))
            if self.text.startswith(self.text[begins:ends], pos):
                yield pos + ends - begins
        else:
            # Not passed over: a pattern with a part that is not counted would be called linear unseen.
            raise AssertionError(f"the steps of {kind} are not counted here: count them before a pattern uses it")

    def _looks(self, value: Any, pos: int, flags: int) -> bool:
        direction, inner = value
        start = pos if direction > 0 else pos - inner.getwidth()[0]
        return start >= 0 and any(True for _ in self._sequence(inner.data, 0, start, flags))

    def _repeat(self, kind: Any, value: Any, pos: int, flags: int) -> Iterator[int]:
        least, most, inner = value
        most = min(most, max(least, 3)) if most <= SMALL else len(self.text) + 1
        if kind is op.POSSESSIVE_REPEAT:
            yield from _first(self._greedy(least, most, inner.data, 0, pos, flags))
        elif kind is op.MAX_REPEAT:
            yield from self._greedy(least, most, inner.data, 0, pos, flags)
        else:
            yield from self._lazy(least, most, inner.data, 0, pos, flags)

    def _greedy(self, least: int, most: int, nodes: Any, count: int, pos: int, flags: int) -> Iterator[int]:
        if len(nodes) == 1 and nodes[0][0] in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            end = pos
            while end - pos < most and end < len(self.text) and fits(nodes[0], self.text[end], flags):
                end += 1
                self._step()
            for last in range(end, pos + least - 1, -1):
                self._step()
                yield last
            return
        if count < most:
            for end in self._sequence(nodes, 0, pos, flags):
                if end > pos or count < least:
                    yield from self._greedy(least, most, nodes, count + 1, end, flags)
        if count >= least:
            yield pos

    def _lazy(self, least: int, most: int, nodes: Any, count: int, pos: int, flags: int) -> Iterator[int]:
        if count >= least:
            yield pos
        if count < most:
            for end in self._sequence(nodes, 0, pos, flags):
                if end > pos or count < least:
                    yield from self._lazy(least, most, nodes, count + 1, end, flags)

    def _stands_at(self, where: Any, pos: int, flags: int) -> bool:
        text = self.text
        if where in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            is_line = bool(flags & re.MULTILINE) and where is op.AT_BEGINNING
            return pos == 0 or (is_line and text[pos - 1] == "\n")
        if where in (op.AT_END, op.AT_END_STRING):
            is_line = bool(flags & re.MULTILINE) and where is op.AT_END
            last = where is op.AT_END and text[pos:] == "\n"
            return pos == len(text) or last or (is_line and text[pos] == "\n")
        sides = [0 <= place < len(text) and _is_word(text[place]) for place in (pos - 1, pos)]
        return (sides[0] != sides[1]) is (where is op.AT_BOUNDARY)


def _first(ends: Iterator[int]) -> Iterator[int]:
    for end in ends:
        yield end
        return


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def fits(node: Any, letter: str, flags: int) -> bool:
    """Whether one letter fits a node for one letter."""
    key = (id(node), letter, flags)
    if key not in _FITS:
        found = re.fullmatch(_written(node), letter, flags & (re.IGNORECASE | re.DOTALL | re.ASCII))
        # The node is kept, or another one might get its id.
        _FITS[key] = (found is not None, node)
    return _FITS[key][0]


_FITS: dict[tuple[int, str, int], tuple[bool, Any]] = {}


def _written(node: Any) -> str:
    kind, value = node
    if kind is op.ANY:
        return "."
    if kind is op.LITERAL:
        return re.escape(chr(value))
    if kind is op.NOT_LITERAL:
        return f"[^{re.escape(chr(value))}]"
    parts = []
    for inner, what in value:
        if inner is op.NEGATE:
            parts.append("^")
        elif inner is op.RANGE:
            parts.append(f"{re.escape(chr(what[0]))}-{re.escape(chr(what[1]))}")
        elif inner is op.CATEGORY:
            parts.append(_CATEGORIES[what])
        else:
            parts.append(re.escape(chr(what)))
    return f"[{''.join(parts)}]"


_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def witnesses(nodes: Sequence[Any], flags: int) -> list[str]:
    """A few texts that a sequence of nodes matches, short ones."""
    found = [""]
    for node in nodes:
        found = [before + one for before in found[:3] for one in _witnesses_of(node, flags)[:4]]
    return list(dict.fromkeys(found))[:6]


def _witnesses_of(node: Any, flags: int) -> list[str]:
    kind, value = node
    if kind is op.LITERAL:
        return [chr(value)]
    if kind in (op.NOT_LITERAL, op.ANY, op.IN):
        letters = _SOME if kind is not op.IN else _SOME + "".join(map(_letter_of, value))
        return [letter for letter in dict.fromkeys(letters) if letter and fits(node, letter, flags)][:4] or [""]
    if kind is op.BRANCH:
        return [one for branch in value[1] for one in witnesses(branch.data, flags)[:2]]
    if kind is op.SUBPATTERN:
        return witnesses(value[3].data, flags)
    if kind is op.ATOMIC_GROUP:
        return witnesses(value.data, flags)
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, _, inner = value
        return [one * max(1, least) for one in witnesses(inner.data, flags)] + ([""] if least == 0 else [])
    return [""]


def _letter_of(inner: Any) -> str:
    kind, what = inner
    return chr(what) if kind is op.LITERAL else chr(what[0]) if kind is op.RANGE else ""


def pumps(nodes: Sequence[Any], flags: int, before: str = "") -> Iterator[tuple[str, str]]:
    """(what comes before, what is repeated) for each repeat without a small bound, however deep it stands."""
    for at, node in enumerate(nodes):
        kind, value = node
        ahead = before + (witnesses(nodes[:at], flags) or [""])[0]
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            if value[1] > SMALL:
                yield from ((ahead, one) for one in witnesses(value[2].data, flags) if one)
            yield from pumps(value[2].data, flags, ahead)
        elif kind is op.SUBPATTERN:
            yield from pumps(value[3].data, flags, ahead)
        elif kind is op.ATOMIC_GROUP:
            yield from pumps(value.data, flags, ahead)
        elif kind is op.BRANCH:
            for branch in value[1]:
                yield from pumps(branch.data, flags, ahead)
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            yield from pumps(value[1].data, flags, ahead)


def growth(pattern: str, flags: int, how: str) -> float:
    """The worst factor by which further steps grow where a text is twice as long: 2 for linear time, 4 for quadratic.

    Of three texts, each twice as long as the one before, the differences are compared, so that what a text costs
    whatever its length does not count.

    Args:
        pattern: as `re` takes it.
        flags: of `re`.
        how: `search`, `match` or `fullmatch`.
    """
    tree = parser.parse(pattern, flags)
    counting = Counting(pattern, flags, most=200_000)
    found = list(dict.fromkeys(pumps(tree.data, tree.state.flags)))
    befores = list(dict.fromkeys(before for before, _ in found if before))
    repeated = dict.fromkeys([*(one for _, one in found), *(before + one for before, one in found), *befores])
    worst = 1.0
    for before in ["", *befores[:2]] if found else []:
        for one in list(repeated)[:12]:
            for after in ("\x00", ""):
                size = 12 if len(one) <= 20 else 4
                texts = [before + one * count + after for count in (size, 2 * size, 4 * size)]
                try:
                    short, middle, long = (counting.run(text, how) for text in texts)
                except TooManyStepsError:
                    return float("inf")
                worst = max(worst, (long - middle) / max(1, middle - short))
    return worst
