"""The table of types: what every operator and function makes of a value of every type, as it was last judged."""

from pathlib import Path

from tests.emulator.kql import signatures

from arm_emulator.kql import aggregates, functions
from arm_emulator.kql.aggregates_several import SEVERAL
from arm_emulator.kql.binder import ROW_FUNCTIONS

KEPT = Path(__file__).with_name("types.txt")


def test_the_table_of_types_is_as_it_was_judged() -> None:
    """A change of it is meant, and judged anew by `make oracles`, before the table is written anew."""
    assert list(signatures.table()) == KEPT.read_text().splitlines()


def test_every_function_has_a_row_in_the_table() -> None:
    """So that none is bound without having been judged."""
    names = {form.partition("(")[0] for _, form in signatures.forms()} | {
        pair.partition("(")[0] for pair in signatures.PAIRS
    }
    known = {*functions.REGISTRY, *ROW_FUNCTIONS, *aggregates.ONE, *SEVERAL}
    assert known <= names, known - names
