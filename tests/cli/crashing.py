"""`python -m tests.cli.crashing ARGS`: patchmode with a defect, amid a signed request and its answer."""

from typing import Any, NoReturn

from patchmode.arm import pipeline
from patchmode.cli.main import main


def crash(request: Any, answer: Any, answered_at: Any) -> NoReturn:
    """Raise while the request's headers, token included, and the answer are at hand."""
    assert request.headers["Authorization"].startswith("Bearer ")
    raise ZeroDivisionError(f"at {answered_at} after {answer.status_code}")


if __name__ == "__main__":
    pipeline.exchange_of = crash
    main()
