"""The pages as a site, for `mkdocs build` (`make docs-site`): its navigation, and what differs from GitHub's view.

The navigation is docs/README.md, in its order. The project's README is the first page. A file that a page links to and
that is not below docs/ is added to the site: a page where it is Markdown, a list of what is in it where it is a folder.

Must not: say anything that the pages do not say; import what only one of the two environments has.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hatch_build import relinked
from tests.docs.pages import DOCS, PAGES, PROJECT, ROOT, links, name_of, read

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

INDEX = DOCS / "README.md"
_LOADS = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?((?:https?:)?//[^\s\"'>]+)"
    r"|<link\b[^>]*\bhref=[\"']?((?:https?:)?//[^\s\"'>]+)"
    r"|(?:url\(|@import )[\"']?((?:https?:)?//[^\s\"')]+)"
)


def place(source: Path) -> str:
    """Where a file or folder of the project is on the site, as mkdocs names a source."""
    if source == ROOT / "README.md":
        return "index.md"
    if source == INDEX:
        return "contents.md"
    if source.is_relative_to(DOCS):
        return source.relative_to(DOCS).as_posix()
    if source in PROJECT:
        return f"project/{source.name.lower()}"
    return f"files/{name_of(source)}" + ("/index.md" if source.is_dir() else "")


def navigation() -> list[Any]:
    """The pages by section, in the order of docs/README.md; a page's title is its heading."""
    nav: list[Any] = [place(ROOT / "README.md")]
    for section in re.split(r"^## ", read(INDEX), flags=re.MULTILINE):
        pages = [place((DOCS / target).resolve()) for target in re.findall(r"\]\(([^)\s#]+)\)", section)]
        listed = list(dict.fromkeys(page for page in pages if page.endswith(".md")))
        title = section.partition("\n")[0]
        nav += [{title: listed}] if not title.startswith("#") and listed else listed
    decisions = [place(path) for path in (DOCS / "decisions" / "README.md", *sorted(DOCS.glob("decisions/0*.md")))]
    for group in nav:
        if isinstance(group, dict):
            group.update({title: [one for one in pages if one not in decisions] for title, pages in group.items()})
    project = [place(source) for source in (INDEX, *PROJECT[1:])]
    return [*nav, {"Decisions": decisions}, {"Project": project}]


def text_of(source: Path) -> str:
    """A page as the site has it: links lead to where their targets are there, and marks for the tests are left out."""
    here = PurePosixPath(place(source)).parent

    def lead(target: str, _: bool) -> str:
        path, hash_, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return target
        return os.path.relpath(place((source.parent / path).resolve()), here) + hash_ + anchor

    return relinked(read(source), lead)


def added() -> Iterator[Path]:
    """The files and folders that are not below docs/ and to which a page of the site links."""
    seen = set(PROJECT)
    yield from PROJECT
    for page in PAGES:
        for link in links(page):
            path = link.partition("#")[0]
            target = (page.parent / path).resolve()
            if path and ":" not in path and not target.is_relative_to(DOCS) and target not in seen:
                seen.add(target)
                yield target


def on_config(config: "MkDocsConfig") -> None:
    """Mkdocs asks for the navigation."""
    config.nav = navigation()


def on_files(files: "Files", config: "MkDocsConfig") -> None:
    """Mkdocs asks which files the site has besides those of docs/."""
    from mkdocs.structure.files import File

    index = files.get_file_from_path("README.md")
    assert index is not None
    files.remove(index)
    for source in sorted({INDEX, *DOCS.rglob("*.md"), *added()}):
        uri = place(source)
        if old := files.get_file_from_path(uri):
            files.remove(old)
        if source.is_dir():
            inside = sorted(path for path in source.iterdir() if path.is_file())
            text = f"# {name_of(source)}\n\n" + "".join(f"- [{path.name}]({path.name})\n" for path in inside)
            files.append(File.generated(config, uri, content=text))
            for path in inside:
                if not files.get_file_from_path(place(path)):
                    files.append(File.generated(config, place(path), abs_src_path=str(path)))
        elif source.suffix == ".md":
            files.append(File.generated(config, uri, content=text_of(source)))
        elif not files.get_file_from_path(uri):
            files.append(File.generated(config, uri, abs_src_path=str(source)))


def on_post_build(config: "MkDocsConfig") -> None:
    """Mkdocs has built it: nothing that a page loads may be of another host, and no mark for the tests is shown."""
    wrong = list(faults(Path(config.site_dir)))
    if wrong:
        from mkdocs.exceptions import PluginError

        raise PluginError("\n".join(wrong))


def faults(site: Path) -> Iterator[str]:
    """What a built page must not have."""
    for path in sorted(path for path in site.rglob("*") if path.suffix in {".html", ".css"}):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(site).as_posix()
        yield from (f"{name} loads {''.join(found)}" for found in _LOADS.findall(text))
        yield from (f"{name} shows {mark}" for mark in re.findall(r"<!-- (?:run|not run|output)\b.*?-->", text))
