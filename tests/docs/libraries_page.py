"""The page of the libraries that an installation holds, with their licences, as each declares its own."""

from collections.abc import Iterator
from importlib.metadata import Distribution, distribution

from tests.docs.pages import DOCS, ROOT, read

PAGE = DOCS / "reference" / "libraries.md"
_HEAD = """# Libraries and their licences

This page is made by `make docs`; do not edit it.
The versions are those of `requirements/runtime.txt`; the licence is what each library declares of itself.
An installation with pip may take newer versions; the container image and `make wheel` install these, by their hashes.
`make release` writes the same list as a software bill of materials (CycloneDX).

| library | version | licence |
|---|---|---|
"""


def render_libraries() -> str:
    """The page, a line a library."""
    return _HEAD + "".join(f"| {name} | {version} | {_licence(distribution(name))} |\n" for name, version in pinned())


def pinned() -> Iterator[tuple[str, str]]:
    """The names and versions that are installed on every system, in order."""
    for line in read(ROOT / "requirements/runtime.txt").splitlines():
        requirement, _, marker = line.partition(";")
        if line[:1].isalpha() and "sys_platform" not in marker:
            name, version = requirement.rstrip(" \\").split("==")
            yield name, version


def _licence(of: Distribution) -> str:
    metadata = of.metadata
    classifiers = [one.split(" :: ")[-1] for one in metadata.get_all("Classifier", []) if one.startswith("License ::")]
    declared = metadata.get("License-Expression") or metadata.get("License") or " and ".join(classifiers)
    assert declared, of.name
    assert "\n" not in declared, of.name
    return declared
