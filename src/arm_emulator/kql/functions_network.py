"""The functions on addresses of networks.

Registers them; must not be called directly. What is no address gives null, or an empty text where a text is asked for.

Source: Kusto documentation of each function.
"""

import ipaddress
import re
from collections.abc import Callable

from arm_emulator.kql.functions import simple
from arm_emulator.kql.types import Type
from arm_emulator.kql.values import Value, text_of


def _array(value: Value) -> bool:
    return isinstance(value, list)


def _network(text: str, prefix: int = 32) -> ipaddress.IPv4Network | None:
    address, _, written = text.strip().partition("/")
    try:
        length = min(int(written) if written else 32, prefix)
        return ipaddress.IPv4Network((address, length), strict=False)
    except ValueError:
        return None


def _ipv4_compare(left: str, right: str, prefix: int = 32) -> int | None:
    first, second = _network(left, prefix), _network(right, prefix)
    if first is None or second is None:
        return None
    shared = min(first.prefixlen, second.prefixlen)
    numbers = [int(each.network_address) >> (32 - shared) for each in (first, second)]
    return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])


def _ipv4_is_match(left: str, right: str, prefix: int = 32) -> bool | None:
    order = _ipv4_compare(left, right, prefix)
    return None if order is None else order == 0


def _ipv4_is_in_range(address: str, block: str) -> bool | None:
    inner, outer = _network(address), _network(block)
    return None if inner is None or outer is None else inner.network_address in outer


_PRIVATE = tuple(ipaddress.IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


def _ipv4_is_private(text: str) -> bool | None:
    network = _network(text)
    return None if network is None else any(network.subnet_of(block) for block in _PRIVATE)


def _parse_ipv4(text: str) -> int | None:
    network = _network(text)
    return None if network is None else int(network.network_address)


def _ipv4_is_in_any_range(address: str, *blocks: Value) -> bool | None:
    found = [
        _ipv4_is_in_range(address, text_of(each)) for block in blocks for each in (block if _array(block) else [block])
    ]
    return None if None in found and True not in found else True in found


simple("parse_ipv4", "string", Type.LONG, _parse_ipv4)
simple("ipv4_compare", "string string long?", Type.LONG, _ipv4_compare)
simple("ipv4_is_match", "string string long?", Type.BOOL, _ipv4_is_match)
simple("ipv4_is_in_range", "string string", Type.BOOL, _ipv4_is_in_range)
simple("ipv4_is_in_any_range", "string list list*", Type.BOOL, _ipv4_is_in_any_range)
simple("ipv4_is_private", "string", Type.BOOL, _ipv4_is_private)
simple(
    "ipv4_netmask_suffix",
    "string",
    Type.LONG,
    lambda text: None if (network := _network(text)) is None else network.prefixlen,
)


def _format_ipv4(address: Value, prefix: int = 32) -> str:
    """Mask an address, given as text or as a number, and write it; what is none gives an empty text."""
    network = _masked(address, prefix)
    return "" if network is None else str(network.network_address)


def _format_ipv4_mask(address: Value, prefix: int = 32) -> str:
    network = _masked(address, prefix)
    return "" if network is None else str(network)


def _masked(address: Value, prefix: int) -> ipaddress.IPv4Network | None:
    if isinstance(address, bool) or not isinstance(address, int | str) or not 0 <= prefix <= 32:
        return None
    if isinstance(address, str):
        return _network(address, prefix)
    return ipaddress.IPv4Network((address, prefix), strict=False) if 0 <= address < 2**32 else None


simple("format_ipv4", "any long?", Type.STRING, _format_ipv4)
simple("format_ipv4_mask", "any long?", Type.STRING, _format_ipv4_mask)
simple("parse_ipv4_mask", "string long", Type.LONG, lambda text, prefix: _number(_network(text, prefix)))


def _number(network: ipaddress.IPv4Network | None) -> int | None:
    return None if network is None else int(network.network_address)


def _ipv4_range_to_cidr_list(first: str, last: str) -> Value:
    try:
        blocks = ipaddress.summarize_address_range(ipaddress.IPv4Address(first), ipaddress.IPv4Address(last))
    except ValueError:
        return None
    return [str(block) for block in blocks]


simple("ipv4_range_to_cidr_list", "string string", Type.DYNAMIC, _ipv4_range_to_cidr_list)


def _network6(text: str, prefix: int = 128) -> ipaddress.IPv6Network | None:
    """Read an address of either kind; one of IPv4 is what IPv6 maps it to."""
    address, _, written = text.strip().partition("/")
    try:
        mapped = ":" not in address
        if mapped:
            address = f"::ffff:{ipaddress.IPv4Address(address)}"
        length = int(written) + (96 if mapped else 0) if written else 128
        return ipaddress.IPv6Network((address, min(length, prefix)), strict=False)
    except ValueError:
        return None


def _ipv6_compare(left: str, right: str, prefix: int = 128) -> int | None:
    first, second = _network6(left, prefix), _network6(right, prefix)
    if first is None or second is None:
        return None
    shared = min(first.prefixlen, second.prefixlen)
    numbers = [int(each.network_address) >> (128 - shared) for each in (first, second)]
    return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])


def _ipv6_is_match(left: str, right: str, prefix: int = 128) -> bool | None:
    order = _ipv6_compare(left, right, prefix)
    return None if order is None else order == 0


def _ipv6_is_in_range(address: str, block: str) -> bool | None:
    inner, outer = _network6(address), _network6(block)
    return None if inner is None or outer is None else inner.network_address in outer


def _ipv6_is_in_any_range(address: str, *blocks: Value) -> bool | None:
    found = [
        _ipv6_is_in_range(address, text_of(each)) for block in blocks for each in (block if _array(block) else [block])
    ]
    return None if None in found and True not in found else True in found


def _parse_ipv6(text: str, prefix: int = 128) -> str:
    network = _network6(text, prefix)
    return "" if network is None else network.network_address.exploded


simple("ipv6_compare", "string string long?", Type.LONG, _ipv6_compare)
simple("ipv6_is_match", "string string long?", Type.BOOL, _ipv6_is_match)
simple("ipv6_is_in_range", "string string", Type.BOOL, _ipv6_is_in_range)
simple("ipv6_is_in_any_range", "string list list*", Type.BOOL, _ipv6_is_in_any_range)
simple("parse_ipv6", "string", Type.STRING, _parse_ipv6)
simple("parse_ipv6_mask", "string long", Type.STRING, _parse_ipv6)

_WRITTEN = re.compile(r"(?<![0-9A-Za-z.])\d{1,3}(?:\.\d{1,3}){3}(?![0-9A-Za-z.])")


def _has_ipv4(*, whole: bool) -> Callable[..., bool]:
    """Return what finds addresses in a text, whole or by their beginning; nothing but a sign may stand around one."""

    def search(text: str, *wanted: Value) -> bool:
        texts = [text_of(each) for item in wanted for each in (item if _array(item) else [item])]
        found = [address for address in _WRITTEN.findall(text) if _network(address)]
        return any(address == each if whole else address.startswith(each) for each in texts for address in found)

    return search


simple("has_ipv4", "string string", Type.BOOL, _has_ipv4(whole=True))
simple("has_ipv4_prefix", "string string", Type.BOOL, _has_ipv4(whole=False))
simple("has_any_ipv4", "string list list*", Type.BOOL, _has_ipv4(whole=True))
simple("has_any_ipv4_prefix", "string list list*", Type.BOOL, _has_ipv4(whole=False))
