"""The functions on texts.

Registers them; must not be called directly. A text has no null, so these are called with '' for one.

Source: Kusto documentation of each function.
"""

import base64
import binascii
import csv
import hashlib
import io
import re
import uuid
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus, urlsplit

from arm_emulator.kql.arithmetic import strict
from arm_emulator.kql.code import Bound
from arm_emulator.kql.conversions import FROM_DYNAMIC, applied, composed, to_text
from arm_emulator.kql.functions import Site, check, register, simple, template
from arm_emulator.kql.regexes import BadPatternError, compile_pattern, has_term
from arm_emulator.kql.types import Type
from arm_emulator.kql.values import Value, parse_guid, text_of


def _upper(text: str) -> str:
    """Put letters in upper case, each staying one letter."""
    if text.isascii():
        return text.upper()
    return "".join(upper if len(upper := char.upper()) == 1 else char for char in text)


template("tolower", "text", Type.STRING, "{0}.lower()")
simple("toupper", "text", Type.STRING, _upper)


@register("strlen")
def _strlen(site: Site, arguments: list[Bound]) -> Bound:
    (bound,) = check(site, "string", arguments)
    text = composed(site.space, Type.LONG, f"len({bound.text})", (bound,), nullable=False)
    return text.named(f"strlen_{arguments[0].name}")


@register("string_size")
def _string_size(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string", arguments)
    size = applied(site.space, lambda text: len(text.encode()), Type.LONG, *bounds)
    return size.named(f"string_size_{arguments[0].name}")


simple("reverse", "text", Type.STRING, lambda text: text[::-1])


def _substring(text: str, start: int, length: int | None = None) -> str:
    first = len(text) + start if start < 0 else start
    if first < 0:
        return ""
    if length is None:
        return text[first:]
    return text[first : first + length] if length > 0 else ""


simple("substring", "text long long?", Type.STRING, _substring)


def _indexof(text: str, wanted: str, start: int = 0, length: int = -1, occurrence: int = 1) -> int | None:
    first = max(len(text) + start, 0) if start < 0 else start
    if occurrence < 1 or length < -1:
        return None
    end = len(text) if length < 0 else min(first + length, len(text))
    at = first - 1
    for _ in range(occurrence):
        at = text.find(wanted, at + 1, end)
        if at < 0:
            return -1
    return at


simple("indexof", "text text long? long? long?", Type.LONG, _indexof)


def _split(text: str, separator: str, index: int | None = None) -> Value:
    parts = text.split(separator) if separator else list(text)
    if index is None:
        return parts
    return [parts[index]] if 0 <= index < len(parts) else []


@register("split")
def _bind_split(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "text string long?", arguments)
    name = arguments[0].name
    return applied(site.space, _split, Type.DYNAMIC, *bounds).named(name)


def _strcat_delim(delimiter: str, *texts: str) -> str:
    return delimiter.join(texts)


@register("strcat_delim")
def _bind_strcat_delim(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "any any any*", arguments)
    return applied(site.space, _strcat_delim, Type.STRING, *(to_text(site.space, bound) for bound in bounds))


def _strcat_array(items: Value, delimiter: str) -> str:
    return delimiter.join(text_of(item) for item in items) if isinstance(items, list) else text_of(items)


simple("strcat_array array_strcat", "dynamic text", Type.STRING, _strcat_array)
simple("strrep", "text long text?", Type.STRING, lambda text, times, by="": by.join([text] * max(0, min(times, 1024))))
simple("strcmp", "text text", Type.LONG, lambda left, right: (left > right) - (left < right))
simple(
    "replace_string",
    "string string string",
    Type.STRING,
    lambda text, old, new: text.replace(old, new) if old else text,
)


def _pattern(site: Site, bound: Bound) -> re.Pattern[str]:
    return compile_pattern(str(site.constant(bound, "A regular expression")))


def _rewrite(site: Site, bound: Bound) -> str:
    r"""Turn RE2's `\\1` into Python's form, in which a digit behind it cannot be misread."""
    text = str(site.constant(bound, "The rewrite text"))
    out: list[str] = []
    at = 0
    while at < len(text):
        follower = text[at + 1 : at + 2]
        if text[at] != "\\":
            out.append(text[at])
            at += 1
            continue
        if not (follower.isdigit() or follower == "\\"):
            raise BadPatternError(f"the rewrite \\{follower} is not known")
        out.append("\\\\" if follower == "\\" else rf"\g<{follower}>")
        at += 2
    return "".join(out)


@register("replace_regex", "replace")
def _replace_regex(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string string string", arguments)
    if site.name == "replace":
        bounds = [bounds[2], bounds[0], bounds[1]]
    pattern, rewrite = _pattern(site, bounds[1]), _rewrite(site, bounds[2])
    if max([int(digit) for digit in re.findall(r"\\g<(\d)>", rewrite)], default=0) > pattern.groups:
        raise site.refusal("the rewrite text names a group that the pattern does not have.", bounds[2].at)
    return applied(site.space, lambda text: pattern.sub(rewrite, text), Type.STRING, bounds[0])


@register("extract")
def _extract(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string long string string?", arguments)
    pattern, group = _pattern(site, bounds[0]), site.constant(bounds[1], "The group's number")
    kind = bounds[3].constant if len(bounds) > 3 else Type.STRING
    if not isinstance(kind, Type):
        raise site.refusal("the last argument must be a typeof().", bounds[-1].at)
    if not isinstance(group, int) or not 0 <= group <= pattern.groups:
        raise site.refusal("the pattern does not have this group.", bounds[1].at)
    search, read = pattern.search, FROM_DYNAMIC.get(kind)

    def extract(text: str) -> Value:
        match = search(text)
        found = (match.group(group) or "") if match else ""
        return found if kind is Type.STRING or read is None else read(found)

    return applied(site.space, extract, kind, bounds[2])


@register("extract_all", "extractall")
def _extract_all(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string list string?", arguments)
    pattern = _pattern(site, bounds[0])
    groups = list(range(1, pattern.groups + 1))
    if len(bounds) > 2:
        wanted = site.constant(bounds[1], "The groups")
        chosen = [pattern.groupindex.get(each, each) for each in wanted] if isinstance(wanted, list) else []
        groups = [each for each in chosen if each in groups] or groups
    if not groups:
        raise site.refusal("the pattern needs a group.", bounds[0].at)
    subject = to_text(site.space, bounds[-1])

    def extract(text: str) -> Value:
        found = [[match.group(each) or "" for each in groups] for match in pattern.finditer(text)]
        if not found:
            return None
        return found if len(groups) > 1 else [each[0] for each in found]

    return applied(site.space, extract, Type.DYNAMIC, subject)


def _trimmed(text: str, pattern: re.Pattern[str], *, start: bool, end: bool) -> str:
    if start and (match := pattern.match(text)):
        text = text[match.end() :]
    if end:
        for at in range(len(text) + 1):
            if pattern.fullmatch(text, at):
                return text[:at]
    return text


@register("trim", "trim_start", "trim_end")
def _trim(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string string", arguments)
    pattern = _pattern(site, bounds[0])
    start, end = site.name != "trim_end", site.name != "trim_start"
    return applied(site.space, lambda text: _trimmed(text, pattern, start=start, end=end), Type.STRING, bounds[1])


def _countof(text: str, wanted: str) -> int:
    if not wanted:
        return 0
    return sum(text.startswith(wanted, at) for at in range(len(text) - len(wanted) + 1))


@register("countof")
def _bind_countof(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "string string string?", arguments)
    kind = site.constant(bounds[2], "The kind") if len(bounds) > 2 else "normal"
    if kind == "regex":
        pattern = _pattern(site, bounds[1])
        return applied(site.space, lambda text: sum(1 for _ in pattern.finditer(text)), Type.LONG, bounds[0])
    if kind != "normal":
        raise site.refusal("the kind is 'normal' or 'regex'.", bounds[2].at)
    return applied(site.space, _countof, Type.LONG, *bounds[:2])


def _translate(wanted: str, given: str, text: str) -> str:
    if not given:
        return text.translate({ord(char): None for char in wanted})
    return text.translate({ord(char): given[min(at, len(given) - 1)] for at, char in reversed(list(enumerate(wanted)))})


simple("translate", "string string string", Type.STRING, _translate)
simple("url_encode", "string", Type.STRING, lambda text: quote_plus(text, safe="-_.!*()"))
simple("url_encode_component", "string", Type.STRING, lambda text: quote(text, safe="-_.~"))
simple("url_decode", "string", Type.STRING, unquote)
simple(
    "base64_encode_tostring base64_encodestring",
    "string",
    Type.STRING,
    lambda text: base64.b64encode(text.encode()).decode(),
)


def _base64_text(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


simple("base64_decode_tostring base64_decodestring", "string", Type.STRING, _base64_text)
simple(
    "hash_md5",
    "scalar",
    Type.STRING,
    lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() if text else "",
)
simple(
    "hash_sha1",
    "scalar",
    Type.STRING,
    lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() if text else "",
)
simple("hash_sha256", "scalar", Type.STRING, lambda text: hashlib.sha256(text.encode()).hexdigest() if text else "")
simple(
    "tohex",
    "long long?",
    Type.STRING,
    lambda value, width=0: f"{value % 2**64:x}".rjust(min(width, 16), "0"),
    keeps_name=True,
)


def _parse_csv(text: str) -> Value:
    return next(csv.reader(io.StringIO(text)), [""])


simple("parse_csv", "string", Type.DYNAMIC, _parse_csv, keeps_name=True)


def _parse_urlquery(text: str) -> Value:
    return {"Query Parameters": dict(parse_qsl(text.removeprefix("?"), keep_blank_values=True))}


def _parse_url(text: str) -> Value:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme:
        return None
    return {
        "Scheme": parts.scheme,
        "Host": parts.hostname or "",
        "Port": "" if port is None else str(port),
        "Path": parts.path,
        "Username": unquote_plus(parts.username or ""),
        "Password": unquote_plus(parts.password or ""),
        "Query Parameters": dict(parse_qsl(parts.query, keep_blank_values=True)),
        "Fragment": parts.fragment,
    }


simple("parse_url parseurl", "string", Type.DYNAMIC, _parse_url)
simple("parse_urlquery parseurlquery", "string", Type.DYNAMIC, _parse_urlquery)


def _has_any_index(text: str, wanted: Value) -> int:
    """Return the index of the first item that `has` finds in the text, or -1."""
    items = wanted if isinstance(wanted, list) else [wanted]
    return next((at for at, item in enumerate(items) if has_term(text, text_of(item))), -1)


simple("has_any_index", "string dynamic", Type.LONG, _has_any_index)


def _replace_strings(text: str, wanted: Value, given: Value) -> str:
    """Put the n-th of `given` where the n-th of `wanted` stands; matches do not overlap, the first of the list wins."""
    if not isinstance(wanted, list) or not isinstance(given, list):
        return text
    pairs = {text_of(old): text_of(new) for old, new in reversed(list(zip(wanted, given, strict=False)))}
    olds = [old for item in wanted if (old := text_of(item)) in pairs and old]
    if not olds:
        return text
    return re.sub("|".join(map(re.escape, olds)), lambda match: pairs[match.group()], text)


simple("replace_strings", "string dynamic dynamic", Type.STRING, _replace_strings)
simple("regex_quote", "text", Type.STRING, lambda text: re.sub(r"([\\*+?|{\[()^$.#\s])", r"\\\1", text))


@register("indexof_regex")
def _indexof_regex(site: Site, arguments: list[Bound]) -> Bound:
    bounds = check(site, "text string long? long? long?", arguments)
    pattern = _pattern(site, bounds[1])

    def search(text: str, start: int = 0, length: int = -1, occurrence: int = 1) -> int | None:
        first = max(len(text) + start, 0) if start < 0 else start
        if occurrence < 1 or length < -1:
            return None
        end = len(text) if length < 0 else min(first + length, len(text))
        return next((match.start() for _, match in _numbered(pattern.finditer(text, first, end), occurrence)), -1)

    return applied(site.space, strict(search), Type.LONG, bounds[0], *bounds[2:])


def _numbered(found: Iterable[re.Match[str]], wanted: int) -> Iterator[tuple[int, re.Match[str]]]:
    return ((number, match) for number, match in enumerate(found, start=1) if number == wanted)


def _base64_guid(text: str) -> str | None:
    try:
        content = base64.b64decode(text, validate=True)
        return str(uuid.UUID(bytes_le=content)) if len(content) == 16 else parse_guid(content.decode())
    except (binascii.Error, ValueError):
        return None


def _base64_array(text: str) -> Value:
    try:
        return list(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None


def _array_base64(items: Value) -> str:
    try:
        return base64.b64encode(bytes(items)).decode() if isinstance(items, list) else ""
    except (TypeError, ValueError):
        return ""


simple("base64_decode_toarray", "string", Type.DYNAMIC, _base64_array)
simple("base64_encode_fromarray", "dynamic", Type.STRING, _array_base64)
simple("base64_decode_toguid", "string", Type.GUID, _base64_guid)
simple(
    "base64_encode_fromguid",
    "guid",
    Type.STRING,
    lambda text: base64.b64encode(uuid.UUID(text).bytes_le).decode(),
)
simple("isascii", "text", Type.BOOL, str.isascii)
simple("isutf8", "text", Type.BOOL, lambda text: not any("\ud800" <= char <= "\udfff" for char in text))
simple("unicode_codepoints_from_string to_utf8", "text", Type.DYNAMIC, lambda text: [ord(char) for char in text])


def _of_codepoints(*items: Value) -> str:
    points = [point for item in items for point in (item if isinstance(item, list) else [item])]
    good = [point for point in points if isinstance(point, int) and 0 <= point <= 0x10FFFF]
    return "".join(map(chr, good)) if len(good) == len(points) else ""


simple("unicode_codepoints_to_string make_string", "codes codes*", Type.STRING, _of_codepoints)
_PATH = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://)?(?P<directory>(?:(?P<root>[A-Za-z]:)(?=[\\/]))?(?:[^:]*(?=[\\/]))?)"
    r"[\\/]?(?P<file>[^\\/:]*)(?::(?P<stream>.*))?"
)


def _parse_path(text: str) -> Value:
    match = _PATH.fullmatch(text)
    if match is None:
        return None
    directory, file = match["directory"] or "", match["file"] or ""
    return {
        "Scheme": match["scheme"] or "",
        "RootPath": match["root"] or "",
        "DirectoryPath": directory,
        "DirectoryName": re.split(r"[\\/]", directory)[-1],
        "Filename": file,
        "Extension": file.rpartition(".")[2] if "." in file else "",
        "AlternateDataStreamName": match["stream"] or "",
    }


simple("parse_path", "string", Type.DYNAMIC, _parse_path)
