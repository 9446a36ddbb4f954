"""Writing a file whole: what stands at the path keeps being what it is."""

import os
import stat
import threading
from pathlib import Path

import pytest

from patchmode.errors import StorageError
from patchmode.store.files import write_whole


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """And nothing else is left in the folder."""
    write_whole(tmp_path / "plan.json", b"new")
    assert (tmp_path / "plan.json").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    """`latest.json -> 2030-01-31.json` is a habit, also through a second link and into another folder."""
    (tmp_path / "kept").mkdir()
    target, link, outer = tmp_path / "kept" / "plan.json", tmp_path / "inner.json", tmp_path / "latest.json"
    target.write_bytes(b"old")
    link.symlink_to(Path("kept") / "plan.json")
    outer.symlink_to("inner.json")
    write_whole(outer, b"new")
    assert (outer.is_symlink(), link.is_symlink(), target.is_symlink()) == (True, True, False)
    assert target.read_bytes() == b"new"
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["inner.json", "kept", "latest.json", "plan.json"]


def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    """As a shell's redirection does."""
    (tmp_path / "latest.json").symlink_to("plan.json")
    write_whole(tmp_path / "latest.json", b"new")
    assert (tmp_path / "latest.json").is_symlink()
    assert (tmp_path / "plan.json").read_bytes() == b"new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_named_pipe_is_written_into_and_stays(tmp_path: Path, *, through_a_link: bool) -> None:
    """A rename would put a file where the reader waits at a pipe, and so it would with a device."""
    pipe, path = tmp_path / "pipe", tmp_path / "pipe"
    os.mkfifo(pipe)
    if through_a_link:
        path = tmp_path / "link"
        path.symlink_to("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    content = b"x" * 300_000
    write_whole(path, content)
    reader.join(10)
    assert read == [content]
    assert pipe.is_fifo()
    assert path.is_symlink() is through_a_link


@pytest.mark.parametrize("through_a_link", [False, True])
def test_a_folder_is_refused_by_name(tmp_path: Path, *, through_a_link: bool) -> None:
    """And left as it is."""
    folder, path = tmp_path / "folder", tmp_path / "folder"
    folder.mkdir()
    if through_a_link:
        path = tmp_path / "link"
        path.symlink_to("folder")
    with pytest.raises(StorageError, match="it is a folder"):
        write_whole(path, b"new")
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    """With the system's own words."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match="could not write"):
        write_whole(tmp_path / "loop", b"new")
    assert (tmp_path / "loop").is_symlink()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_an_open_file_by_its_descriptor_is_refused(tmp_path: Path) -> None:
    """`--out /dev/stdout >file`: two writers of one file would overwrite each other."""
    with (tmp_path / "file").open("wb") as stream, pytest.raises(StorageError, match="is open already"):
        write_whole(Path(f"/dev/fd/{stream.fileno()}"), b"new")
    assert (tmp_path / "file").read_bytes() == b""
