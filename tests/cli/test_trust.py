"""What a whole change leaves on the disk: whose it is, and that nothing planted there is followed."""

import os
import stat
from pathlib import Path

import pytest
from tests.cli.conftest import Program, Start

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")


def modes_below(folder: Path) -> dict[str, int]:
    """Each file and folder, the folder itself as `.`, with its permissions."""
    return {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in (folder, *sorted(folder.rglob("*")))
    }


def whole_change(program: Program) -> None:
    """A plan, its run, reports, evidence, a rollback, and an undo that is kept in the state folder."""
    group = ("-g", "rg-app")
    assert program("plan", *group, "--out", "plan.json").code == 10
    assert program("apply", "plan.json", "--yes").code == 0
    assert program("report", "--run", "latest", "--out", "report.html").code in {0, 10}
    assert program("audit", *group, "-o", "json").code in {0, 10}
    assert program("evidence", "pack", "latest", "--out", "evidence.zip").code in {0, 10}
    assert program("evidence", "pack", "latest", "--out", "evidence").code in {0, 10}
    assert program("rollback", "latest", "--yes").code in {0, 10}


def test_all_that_is_written_is_its_owners_alone(start: Start) -> None:
    """The state folder too, which is the parent of the folders that are made in it."""
    program = start("small")
    whole_change(program)
    state = modes_below(program.folder / "state")
    assert {"runs", "locks", "plans", "locks/create.lock", "resource-graph-quota.json"} <= set(state)
    written = {**state, **modes_below(program.folder / "evidence")}
    written |= {name: stat.S_IMODE((program.folder / name).stat().st_mode) for name in ("plan.json", "evidence.zip")}
    assert {name for name, mode in written.items() if mode not in {0o700, 0o600}} == set()
    assert stat.S_IMODE((program.folder / "report.html").stat().st_mode) == 0o600
    assert not any("state folder" in done.err for done in program.ran)


@pytest.mark.parametrize(("mode", "others_may"), [(0o755, "look into it"), (0o775, "replace what is in it")])
def test_a_state_folder_that_others_may_use_is_told_once_and_stays(start: Start, mode: int, others_may: str) -> None:
    """Whoever made it so may have meant it, and a run must go on: the command that ends it is told."""
    program = start("small")
    state = program.folder / "state"
    state.mkdir()
    state.chmod(mode)
    assert program("plan", "-g", "rg-app", "--out", "plan.json").code == 10
    done = program("apply", "plan.json", "--yes")
    assert done.code == 0
    told = (
        f"! The permissions of the state folder let other users {others_may}. To end that:\n  chmod 700 FOLDER/state\n"
    )
    assert done.err.count(told) == done.err.count("chmod 700") == 1
    assert stat.S_IMODE(state.stat().st_mode) == mode
    assert "chmod 700" not in program("runs", "list", "-q").err
    state.chmod(0o700)
    assert "chmod 700" not in program("runs", "list").err


def test_no_link_in_the_state_folder_is_followed(start: Start) -> None:
    """Whoever could write there once must not have a file of the operator's overwritten later."""
    program = start("small")
    state, kept = program.folder / "state", program.folder / "kept"
    kept.mkdir()
    names = ["resource-graph-quota.json", "resource-graph-quota.lock", "locks/create.lock"]
    (state / "locks").mkdir(parents=True, mode=0o700)
    state.chmod(0o700)
    for number, name in enumerate(names):
        (kept / str(number)).write_text("somebody's", encoding="utf-8")
        (state / name).symlink_to(kept / str(number))
    assert program("plan", "-g", "rg-app", "--out", "plan.json").code == 10
    done = program("apply", "plan.json", "--yes")
    assert done.code == 1
    why = "FOLDER/state/locks/create.lock is a symbolic link, which is not followed here."
    assert f"could not lock the state folder: {why}" in done.err
    assert "Look at who made the link and what it points to, then remove it." in done.err
    (state / "locks/create.lock").unlink()
    assert program("apply", "plan.json", "--yes").code == 0
    assert {one.read_text(encoding="utf-8") for one in kept.iterdir()} == {"somebody's"}


def test_a_journal_behind_a_link_is_shown_and_not_written(start: Start) -> None:
    """It is said what stands in the way; the run can be resumed once the file itself is there."""
    program = start("small")
    assert program("plan", "-g", "rg-app", "--out", "plan.json").code == 10
    assert program("apply", "plan.json", "--yes").code == 0
    (journal,) = (program.folder / "state/runs").glob("*.sqlite")
    moved = program.folder / journal.name
    journal.rename(moved)
    journal.symlink_to(moved)
    content = moved.read_bytes()
    assert program("runs", "show", "latest").code == 0
    refused = program("verify", "latest")
    assert refused.code == 1
    assert ".sqlite is a symbolic link, which is not followed here" in refused.err
    assert moved.read_bytes() == content
    journal.unlink()
    moved.rename(journal)
    assert program("verify", "latest").code == 0


def test_a_link_that_the_user_names_is_kept_and_its_target_written(start: Start) -> None:
    """`--out latest.json`, which points to the plan of the day, is the user's own."""
    program = start("small")
    (program.folder / "latest.json").symlink_to("today.json")
    (program.folder / "latest.html").symlink_to("today.html")
    assert program("plan", "-g", "rg-app", "--out", "latest.json").code == 10
    assert program("report", "-g", "rg-app", "--out", "latest.html").code == 10
    for name in ("latest.json", "latest.html"):
        assert (program.folder / name).is_symlink()
        assert stat.S_IMODE((program.folder / name).stat().st_mode) == 0o600
