"""Every file that the program writes is opened or replaced in `store/files.py`, where no planted link is followed."""

import ast
import re
from collections.abc import Iterator, Mapping

import pytest
from tests.sources import SOURCE, product

PRODUCT = SOURCE / "patchmode"
THE_ONE = "store/files.py"
_ALWAYS = {
    *("os.open", "os.mkdir", "os.makedirs", "os.rename", "os.replace", "os.link", "os.symlink", "os.chmod"),
    *("os.truncate", "os.mkfifo", "os.mknod", "sqlite3.connect", "logging.FileHandler", "click.File", "LazyFile"),
    *("mkstemp", "tempfile.mkstemp", "NamedTemporaryFile", "tempfile.NamedTemporaryFile", "click.open_file"),
    *("shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree", "shutil.move"),
}
_OF_A_PATH = {"write_text", "write_bytes", "touch", "mkdir", "rename", "symlink_to", "hardlink_to", "chmod"}
ALLOWED: Mapping[str, Mapping[str, str]] = {
    "store/database.py": {
        "sqlite3.connect": "SQLite opens by name: a new file, one that was looked at for a link, or a private folder's",
        "temporary.rename": "puts the new file in its place, which does not follow a link",
    },
    "store/evidence.py": {
        "zipfile.ZipFile": "into a stream that `open_private` opened",
        "self._archive.open": "a file within that archive",
        "temporary.mkdir": "a pack's folder must be new",
        "temporary.rename": "puts the pack in its place, which does not follow a link",
    },
    "documents/published.py": {"(folder / name).write_text": "for developers, in a checkout"},
}
"""File → call → why it need not go through `store/files.py`."""


def writers(tree: ast.AST) -> Iterator[str]:
    """The calls that open a file for writing, make one, or put one in another's place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if "os.devnull" not in ast.unparse(node) and _writes(name, node):
                yield name


def _writes(name: str, call: ast.Call) -> bool:
    of, _, last = name.rpartition(".")
    if name in _ALWAYS or last in _OF_A_PATH:
        return of != "formatter"  # click's has a `write_text`
    if last == "replace":  # of a text it takes two, of a value none by its place
        return len(call.args) == 1 and not call.keywords
    if last not in {"open", "ZipFile"}:
        return False
    is_method = last == "open" and of not in {"", "io"}
    given = [*call.args[0 if is_method else 1 :], *(one.value for one in call.keywords if one.arg == "mode")]
    modes = (one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))
    return any(re.fullmatch(r"[rwxabt+]+", mode) and set(mode) & set("wax+") for mode in modes)


def test_files_are_written_in_one_place() -> None:
    """A writer of its own would follow a link that somebody put there, or leave half a file, or one that all may read.

    Call `write_whole`, `write_named`, `open_private` or `make_private_folder`.
    """
    found = {
        path.relative_to(PRODUCT).as_posix(): sorted(set(writers(tree)))
        for path, tree in product().items()
        if path.relative_to(PRODUCT).as_posix() != THE_ONE
    }
    assert {name: calls for name, calls in found.items() if calls} == {
        name: sorted(calls) for name, calls in ALLOWED.items()
    }


@pytest.mark.parametrize(
    "line",
    [
        "open(path, 'w')",
        "open(path, mode='ab')",
        "Path(path).open('x')",
        "path.open(mode='r+b')",
        "path.write_bytes(b'')",
        "path.with_name('x').write_text('')",
        "os.open(path, flags)",
        "temporary.replace(path)",
        "sqlite3.connect(path)",
        "zipfile.ZipFile(path, 'w')",
        "folder.mkdir(parents=True)",
        "tempfile.NamedTemporaryFile()",
    ],
)
def test_a_writer_is_seen(line: str) -> None:
    """A search that finds nothing anywhere must be seen to find something."""
    assert list(writers(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        "open(path)",
        "path.open('rb')",
        "store.open(run, for_writing=True)",
        "text.replace('a', 'b')",
        "replace(plan, digest=digest)",
        "moment.replace(tzinfo=None)",
        "os.open(os.devnull, os.O_RDWR)",
        "archive.open(name)",
        "zipfile.ZipFile(path)",
        "zipfile.ZipFile(stream, 'r')",
    ],
)
def test_a_reader_is_none(line: str) -> None:
    """So that the list of exceptions stays short."""
    assert not list(writers(ast.parse(line)))


def test_the_places_are_there() -> None:
    """A path that was renamed would let everything through."""
    assert (PRODUCT / THE_ONE).is_file()
    assert all((PRODUCT / name).is_file() for name in ALLOWED)


def test_a_file_that_a_user_names_keeps_its_kind() -> None:
    """`--out /dev/null` must not put a file in the device's place: what a command writes is named by its user."""
    offenders = [
        path.name
        for path, tree in product().items()
        if path.parent == PRODUCT / "cli/commands"
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "write_whole"
    ]
    assert offenders == []
