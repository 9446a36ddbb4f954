"""Writing a file whole: what stands at the path keeps being what it is."""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchmode.errors import RunBusyError, StorageError
from patchmode.store import files
from patchmode.store.files import FileLock, holder_of, make_private_folder, open_private, write_named, write_whole


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """And nothing else is left in the folder."""
    write_whole(tmp_path / "plan.json", b"new")
    assert (tmp_path / "plan.json").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_whatever_ends_the_content_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    """Ctrl-C in a long report, for example."""

    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    (tmp_path / "kept").write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "kept", pieces())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"kept": b"before"}


def test_a_disk_that_is_full_half_way_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "plan.json").write_bytes(b"old")
    with pytest.raises(StorageError, match="No space left on device"):
        write_whole(tmp_path / "plan.json", pieces())
    assert (tmp_path / "plan.json").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows opens no folder")
@pytest.mark.parametrize(("is_lasting", "expected"), [(True, [("file", False), ("folder", True)]), (False, [])])
def test_what_is_to_last_is_on_the_disk_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_lasting: bool, expected: list[tuple[str, bool]]
) -> None:
    """Otherwise a loss of power may leave a name without its content, or the content without its name."""
    path, flush = tmp_path / "plan.json", os.fsync
    flushed: list[tuple[str, bool]] = []

    def noted(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        flushed.append((kind, path.exists()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_whole(path, b"new", is_lasting=is_lasting)
    assert flushed == expected


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    """`latest.json -> 2030-01-31.json` is a habit, also through a second link and into another folder."""
    (tmp_path / "kept").mkdir()
    target, link, outer = tmp_path / "kept" / "plan.json", tmp_path / "inner.json", tmp_path / "latest.json"
    target.write_bytes(b"old")
    link.symlink_to(Path("kept") / "plan.json")
    outer.symlink_to("inner.json")
    write_named(outer, b"new")
    assert (outer.is_symlink(), link.is_symlink(), target.is_symlink()) == (True, True, False)
    assert target.read_bytes() == b"new"
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["inner.json", "kept", "latest.json", "plan.json"]


def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    """As a shell's redirection does."""
    (tmp_path / "latest.json").symlink_to("plan.json")
    write_named(tmp_path / "latest.json", b"new")
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
    write_named(path, content)
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
        write_named(path, b"new")
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    """With the system's own words."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(StorageError, match="could not write"):
        write_named(tmp_path / "loop", b"new")
    assert (tmp_path / "loop").is_symlink()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_an_open_file_by_its_descriptor_is_refused(tmp_path: Path) -> None:
    """`--out /dev/stdout >file`: two writers of one file would overwrite each other."""
    with (tmp_path / "file").open("wb") as stream, pytest.raises(StorageError, match="is open already"):
        write_named(Path(f"/dev/fd/{stream.fileno()}"), b"new")
    assert (tmp_path / "file").read_bytes() == b""


# ------------------------------------------------------------------------------------------------ what is ours


def test_a_link_at_the_place_of_a_file_of_ours_is_replaced(tmp_path: Path) -> None:
    """What it points to belongs to somebody else, and stays as it was."""
    target, path = tmp_path / "target", tmp_path / "quota.json"
    target.write_bytes(b"somebody's")
    path.symlink_to(target)
    write_whole(path, b"ours")
    assert (path.is_symlink(), path.read_bytes(), target.read_bytes()) == (False, b"ours", b"somebody's")


@pytest.mark.parametrize("is_there", [True, False])
def test_a_lock_is_not_taken_through_a_link(tmp_path: Path, *, is_there: bool) -> None:
    """Neither is the target made, and the message says what to do."""
    target, path = tmp_path / "target", tmp_path / "create.lock"
    if is_there:
        target.write_bytes(b"somebody's")
    path.symlink_to(target)
    with pytest.raises(StorageError) as refused:
        FileLock(path, what="the state folder")
    assert refused.value.message == (
        f"could not lock the state folder: {path} is a symbolic link, which is not followed here."
    )
    assert refused.value.advice == "Look at who made the link and what it points to, then remove it."
    assert target.exists() is is_there
    assert not is_there or target.read_bytes() == b"somebody's"
    assert not files.is_held(path)


def test_a_lock_with_a_second_name_holds_and_is_not_signed(tmp_path: Path) -> None:
    """A hard link may be put there as well, and a backup made with such links must not lock anybody out."""
    target, path = tmp_path / "target", tmp_path / "create.lock"
    target.write_bytes(b"somebody's")
    os.link(target, path)
    lock = FileLock(path, what="the state folder")
    with pytest.raises(RunBusyError):
        FileLock(path, what="the state folder")
    lock.release()
    assert target.read_bytes() == b"somebody's"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_place_of_a_lock_is_refused(tmp_path: Path) -> None:
    """And does not hold the process up."""
    os.mkfifo(tmp_path / "create.lock")
    with pytest.raises(StorageError, match="it is not a file"):
        FileLock(tmp_path / "create.lock", what="the state folder")
    with pytest.raises(OSError, match=r"it is not a file|No such device") as refused:
        open_private(tmp_path / "create.lock", os.O_WRONLY | os.O_APPEND)
    assert refused.value.errno in {errno.EINVAL, errno.ENXIO}


def test_a_folder_and_the_parents_that_it_lacks_are_its_owners_alone(tmp_path: Path) -> None:
    """The state folder itself is such a parent; what is there already keeps its permissions."""
    (tmp_path / "there").mkdir(mode=0o755)
    (tmp_path / "there").chmod(0o755)
    make_private_folder(tmp_path / "there" / "state" / "runs")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "there", *(tmp_path / "there").rglob("*"))]
    assert modes == [0o755, 0o700, 0o700]


def test_what_stands_in_a_folders_place_is_told(tmp_path: Path) -> None:
    """A file, or a link to nothing."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nothing")
    for name in ("file", "link"):
        with pytest.raises(StorageError, match="could not make the folder"):
            make_private_folder(tmp_path / name / "runs")
        with pytest.raises(StorageError, match="could not make the folder"):
            make_private_folder(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows tells no owner in this way")
class TestLinksOfOthers:
    """In a folder that all may write to, a link may have been put there by anybody."""

    @pytest.fixture
    def link(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A link whose owner this process is told not to be, in root's folder."""
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / "plan.json").write_bytes(b"somebody's")
        (tmp_path / "link").symlink_to("kept")
        (tmp_path / "plan.json").symlink_to(Path("kept") / "plan.json")
        monkeypatch.setattr(files, "_owner_of", lambda path: 4711 if path.is_symlink() else 0)
        return tmp_path / "link"

    def test_a_file_behind_one_is_not_written(self, link: Path) -> None:
        with pytest.raises(StorageError) as refused:
            write_named(link.with_name("plan.json"), b"new")
        path = link.with_name("plan.json")
        assert refused.value.message == f"could not write {path}: {path} is a symbolic link that another user made."
        assert path.read_bytes() == b"somebody's"

    def test_a_folder_behind_one_is_not_used(self, link: Path) -> None:
        for folder in (link, link / "runs"):
            with pytest.raises(StorageError, match="link is a symbolic link that another user made"):
                make_private_folder(folder)
        assert [one.name for one in (link.parent / "kept").iterdir()] == ["plan.json"]


def test_a_folder_that_was_moved_behind_a_link_of_ones_own_is_used(tmp_path: Path) -> None:
    """`runs -> /mnt/large` must go on to work: who made the link is who runs the command."""
    (tmp_path / "large").mkdir()
    (tmp_path / "runs").symlink_to("large")
    make_private_folder(tmp_path / "runs" / "deep")
    assert (tmp_path / "large" / "deep").is_dir()


def test_whoever_takes_a_lock_signs_over_a_longer_name(tmp_path: Path) -> None:
    path = tmp_path / "create.lock"
    path.write_text('{"pid": 1, "host": "' + "h" * 300 + '", "since": ""}', encoding="utf-8")
    lock = FileLock(path, what="the state folder")
    holder = holder_of(path)
    lock.release()
    assert holder is not None
    assert holder.pid == os.getpid()
