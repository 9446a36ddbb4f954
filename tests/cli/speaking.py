"""Whether an output that people read tells which of two machines of one name it speaks of.

Each format is read as what it is: lines with what stands above them, JSON objects, rows, elements. A machine is plain
where its subscription's name or id stands beside it, or stands alone in what encloses it.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from io import StringIO
from typing import Any
from xml.etree import ElementTree as ET


class Speaking:
    """Knows the machines that there are twice, and what their subscriptions are called.

    Args:
        machines: names of machines that more than one subscription has.
        subscriptions: id → label.
    """

    def __init__(self, machines: Iterable[str], subscriptions: dict[str, str]) -> None:
        names = "|".join(re.escape(name) for name in sorted(machines, key=len, reverse=True))
        self._machine = re.compile(rf"(?<![\w-])(?:{names})(?![\w-])")
        places = [*subscriptions, *subscriptions.values()]
        self._place = re.compile(
            "|".join(re.escape(one) for one in sorted(places, key=len, reverse=True)), re.IGNORECASE
        )
        self._same = {one.lower(): one.lower() for one in subscriptions}
        self._same |= {label.lower(): one.lower() for one, label in subscriptions.items()}

    def of(self, text: str) -> set[str]:
        """The subscriptions that a text names."""
        return {self._same[found[0].lower()] for found in self._place.finditer(text)}

    def bare(self, line: str) -> list[str]:
        """The machines of a line that do not carry their subscription themselves."""
        found = []
        for one in self._machine.finditer(line):
            token = re.split(r",\s+|\s{2,}", line[: one.start()])[-1]
            if not self.of(token):
                found.append(one[0])
        return found

    def in_lines(self, text: str) -> Iterator[str]:
        """Lines in which a machine is not plain."""
        if len(self.of(text)) == 1:
            return
        above: list[tuple[int, str]] = []
        for line in text.splitlines():
            if not line.strip():
                above = []
                continue
            depth = len(line) - len(line.lstrip())
            above = [(at, one) for at, one in above if at < depth]
            if self.bare(line) and not any(len(self.of(one)) == 1 for one in (line, *(one for _, one in above))):
                yield line
            above.append((depth, line))

    def in_values(self, value: Any, around: frozenset[str] = frozenset()) -> Iterator[str]:
        """Texts of JSON in which a machine is not plain."""
        if isinstance(value, dict):
            own = set[str]().union(*(self.of(one) for one in value.values() if isinstance(one, str)))
            for one in value.values():
                yield from self.in_values(one, frozenset(own) if len(own) == 1 else around)
        elif isinstance(value, list):
            for one in value:
                yield from self.in_values(one, around)
        elif isinstance(value, str) and len(around) != 1 and self.bare(value) and len(self.of(value)) != 1:
            yield value

    def in_json(self, text: str) -> Iterator[str]:
        """As `in_values`, of a JSON text or JSON lines."""
        texts = [text] if text.lstrip().startswith("{\n") else text.splitlines()
        for one in texts:
            yield from self.in_values(json.loads(one))

    def in_csv(self, text: str) -> Iterator[str]:
        """Rows in which a machine is not plain."""
        for row in csv.reader(StringIO(text)):
            line = " ".join(row)
            if self._machine.search(line) and len(self.of(line)) != 1:
                yield line

    def in_xml(self, text: str) -> Iterator[str]:
        """Elements in which a machine is not plain."""
        for one in ET.fromstring(text).iter("testcase"):
            line = " ".join([*one.attrib.values(), *one.itertext()])
            if self._machine.search(line) and len(self.of(line)) != 1:
                yield line

    def in_html(self, text: str) -> Iterator[str]:
        """Texts of a page in which a machine is not plain."""
        reader = _Page()
        reader.feed(text)
        for path in reader.texts:
            own = path[-1]["text"]
            if not self.bare(own):
                continue
            # The first of what encloses it that names a subscription at all is what the eye falls on.
            near = next((found for found in (self.of(one["text"]) for one in reversed(path)) if found), set[str]())
            if len(near) != 1:
                yield own


class _Page(HTMLParser):
    """The texts of a page, each with what encloses it, the nearest last."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[dict[str, Any]] = []
        self.texts: list[list[dict[str, Any]]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in {"meta", "link", "br", "input", "rect", "img", "hr", "path", "circle", "option"}:
            return
        self.stack.append({"tag": tag, "text": ""})

    def handle_endtag(self, tag: str) -> None:
        if any(one["tag"] == tag for one in self.stack):
            while self.stack.pop()["tag"] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not data.strip() or any(one["tag"] in {"style", "script"} for one in self.stack):
            return
        for one in self.stack:
            one["text"] += f" {data}"
        self.texts.append([*self.stack, {"tag": "", "text": data}])
