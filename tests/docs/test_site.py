"""The pages as a site: each is in its navigation, and what it links to is there. `make docs-site` builds it."""

import re
from pathlib import Path, PurePosixPath

import pytest
from hatch_build import relinked
from tests.docs import site
from tests.docs.pages import DOCS, PAGES, ROOT, name_of


def test_every_page_is_in_the_navigation_once() -> None:
    """Under the headings of docs/README.md, in its order."""
    nav = site.navigation()
    assert nav[:3] == ["index.md", "quickstart.md", "faq.md"]
    sections = [(title, pages) for group in nav if isinstance(group, dict) for title, pages in group.items()]
    assert [title for title, _ in sections] == ["How to", "Why", "Reference", "Decisions", "Project"]
    listed = [*nav[:3], *(page for _, pages in sections for page in pages)]
    assert sorted(listed) == sorted(site.place(page) for page in PAGES)
    assert listed[3] == "how-to/find-and-fix-a-fleet.md"


@pytest.fixture(scope="module")
def places() -> set[str]:
    """Of everything on the site."""
    return {site.place(source) for source in (*site.added(), *DOCS.rglob("*"))}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_links_to_is_on_the_site(page: Path, places: set[str]) -> None:
    """Files that are not below docs/ too; and what is written for the tests is not."""
    text = site.text_of(page)
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "<!--" not in prose
    here = PurePosixPath(site.place(page)).parent
    for target in re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", prose):
        led = PurePosixPath("/") / here / target
        assert str(Path(led).resolve()).removeprefix("/") in places, target


def test_where_a_link_out_of_docs_leads(tmp_path: Path) -> None:
    """A file is beside the pages, a folder is a list of its files, the project's README the first page."""
    assert site.place(ROOT / "deploy" / "audit.sh") == "files/deploy/audit.sh"
    assert site.place(ROOT / "deploy") == "files/deploy/index.md"
    assert site.place(ROOT / "SECURITY.md") == "project/security.md"
    assert "](../files/deploy/github-audit.yaml)" in site.text_of(DOCS / "how-to" / "run-in-ci.md")
    assert "](quickstart.md)" in site.text_of(ROOT / "README.md")
    assert "](../project/changelog.md)" in site.text_of(DOCS / "reference" / "compatibility.md")


def test_code_keeps_what_looks_like_a_link_or_a_mark() -> None:
    """It is what the reader copies. A link whose target has no place is its text, a picture is left out."""
    page = "<!-- run -->\n```sh\n<!-- run --> [a](b)\n```\n`[a](b)` [`x` y](z) ![a picture](z.png)\n"
    assert (
        relinked(page, lambda target, _: target.upper())
        == "```sh\n<!-- run --> [a](b)\n```\n`[a](b)` [`x` y](Z) ![a picture](Z.PNG)\n"
    )
    assert relinked(page, lambda *_: None) == "```sh\n<!-- run --> [a](b)\n```\n`[a](b)` `x` y \n"


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        "<img alt='' src=https://pictures.example/a.png>",
        "<style>@import 'https://fonts.example/css';</style>",
        "body { background: url(https://pictures.example/a.png) }",
        "<p><!-- not run: it writes --></p>",
    ],
)
def test_what_a_built_page_must_not_have(tmp_path: Path, text: str) -> None:
    """Whoever reads the pages is seen by no other host; a link that may be followed is none of this."""
    (tmp_path / "page.html").write_text('<a href="https://semver.org/">x</a><img src="a.png">', encoding="utf-8")
    assert list(site.faults(tmp_path)) == []
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    assert len(list(site.faults(tmp_path))) == 1
