"""Resource Graph's query language: Azure Resource Graph's subset of Kusto, complete and strict.

`compile_query(text, now=...)` gives a plan whose `run(source)` answers from rows. Whatever is not understood or cannot
be answered faithfully raises `KqlError` with its place, never a guess. This package knows nothing of HTTP, of
subscriptions or of the emulator's state, and uses the standard library alone.
"""

from arm_emulator.kql.errors import Code, KqlError
from arm_emulator.kql.query import CompiledQuery, ResultTable, compile_query
from arm_emulator.kql.types import Column, Type

__all__ = ["Code", "Column", "CompiledQuery", "KqlError", "ResultTable", "Type", "compile_query"]
