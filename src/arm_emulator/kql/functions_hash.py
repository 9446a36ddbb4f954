"""`hash`, which is 64 bits of xxHash, and `parse_version`, which makes a number of a version.

Registers them; must not be called directly.

Source: Kusto documentation of both; its examples (`hash("World")` is 1846988464401551951) are tests. How values other
than text are hashed it does not say: their text is, here.
"""

import re
from decimal import Decimal

from arm_emulator.kql.arithmetic import strict
from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import applied, to_text
from arm_emulator.kql.functions import Site, check, register, simple
from arm_emulator.kql.types import INTEGERS, Type
from arm_emulator.kql.values import Value, wrap_long

_MASK = 2**64 - 1
_P1, _P2, _P3, _P4, _P5 = (
    11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261,
)  # fmt: skip
_STRIPE, _WORD, _HALF = 32, 8, 4


def _turned(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _round(lane: int, word: int) -> int:
    return (_turned((lane + word * _P2) & _MASK, 31) * _P1) & _MASK


def xxhash64(content: bytes) -> int:
    """Hash bytes with the seed 0. Source: the xxHash specification, XXH64."""
    at = 0
    if len(content) >= _STRIPE:
        lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        while at + _STRIPE <= len(content):
            words = (int.from_bytes(content[at + _WORD * i : at + _WORD * (i + 1)], "little") for i in range(4))
            lanes = [_round(lane, word) for lane, word in zip(lanes, words, strict=True)]
            at += _STRIPE
        result = sum(_turned(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            result = ((result ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        result = _P5
    return _finished((result + len(content)) & _MASK, content[at:])


def _finished(result: int, rest: bytes) -> int:
    at = 0
    while at + _WORD <= len(rest):
        result ^= _round(0, int.from_bytes(rest[at : at + _WORD], "little"))
        result = (_turned(result, 27) * _P1 + _P4) & _MASK
        at += _WORD
    if at + _HALF <= len(rest):
        result ^= (int.from_bytes(rest[at : at + _HALF], "little") * _P1) & _MASK
        result = (_turned(result, 23) * _P2 + _P3) & _MASK
        at += _HALF
    for byte in rest[at:]:
        result = (_turned(result ^ (byte * _P5) & _MASK, 11) * _P1) & _MASK
    result = ((result ^ (result >> 33)) * _P2) & _MASK
    result = ((result ^ (result >> 29)) * _P3) & _MASK
    return result ^ (result >> 32)


def _hash(text: str, modulus: int | None = None) -> int | None:
    found = xxhash64(text.encode())
    if modulus is None:
        return wrap_long(found)
    return None if modulus <= 0 else found % modulus


@register("hash", "hash_xxhash64")
def _bind_hash(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any?", arguments)
    if bounds[0].type is Type.DYNAMIC:
        raise site.refusal("a dynamic has no hash; convert it.", bounds[0].at)
    if len(bounds) > 1 and bounds[1].type not in INTEGERS:
        raise site.refusal(f"a whole number is expected, not a {bounds[1].type}.", bounds[1].at)
    return applied(site.space, strict(_hash), Type.LONG, to_text(site.space, bounds[0]), *bounds[1:])


_PARTS, _PART_DIGITS = 4, 8


def _parse_version(text: str) -> Value:
    """Four parts at most, each of eight digits at most; what is no such version gives null."""
    parts = text.strip().split(".")
    if len(parts) > _PARTS or not all(re.fullmatch(rf"\d{{1,{_PART_DIGITS}}}", part) for part in parts):
        return None
    number = 0
    for part in (*parts, *["0"] * (_PARTS - len(parts))):
        number = number * 10**_PART_DIGITS + int(part)
    return Decimal(number)


simple("parse_version", "string", Type.DECIMAL, _parse_version)
