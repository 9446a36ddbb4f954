"""`make quick` runs what concerns a change, and does not run everything."""

from pathlib import Path

from tests.changed import concerned


def test_a_changed_module_runs_the_tests_that_import_it() -> None:
    """And no others: a loop that takes minutes is not used."""
    found = {test.as_posix() for test in concerned([Path("src/patchmode/rules/run_merging.py")])}
    assert "tests/unit/rules/test_run_merging.py" in found
    assert len(found) < 5


def test_a_changed_test_is_run_unless_it_starts_programs() -> None:
    """Those take minutes; CI runs them."""
    near, far = Path("tests/unit/rules/test_run_merging.py"), Path("tests/cli/test_signals.py")
    assert [*concerned([near, far, Path("README.md")])] == [near]
