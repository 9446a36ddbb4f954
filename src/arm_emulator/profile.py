"""The switches for what no source confirms about Azure: one typed field each, with every answer available.

The default of each is the answer that its documentation names first. A profile file (JSON or TOML) sets some of them;
unknown names and answers are refused, so a typing error cannot pass for a setting.
"""

import tomllib
import types
import typing
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import msgspec


def switch(default: Any, doc: str) -> Any:  # a dataclass field stands in for any type
    """A profile field with the sentence that its row in the reference shows."""
    return field(default=default, metadata={"doc": doc})


class ProfileError(ValueError):
    """A profile file that names an unknown switch, gives an answer that is not allowed, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Every unconfirmed behaviour of Azure that the emulator can show either way."""

    missing_subscription: Literal["not-found", "forbidden"] = switch(
        "not-found",
        "A subscription that does not exist: 404 SubscriptionNotFound, or 403 AuthorizationFailed.",
    )
    unreadable_subscription_graph: Literal["omitted", "forbidden"] = switch(
        "omitted",
        "A Resource Graph query that names a subscription the caller cannot read: its rows are left out, or 403 "
        "AuthorizationFailed.",
    )
    throttled_retry_after: Literal["present", "absent"] = switch(
        "present",
        "Retry-After on Compute's 429: the documentation says always present, users report answers without it.",
    )
    arm_throttled_retry_after: Literal["present", "absent"] = switch(
        "present",
        "Retry-After on the front door's 429; recorded bodies name the seconds in their text as well.",
    )
    unregistered_reads: Literal["allowed", "refused"] = switch(
        "allowed",
        "Reads of a provider that the subscription is not registered for: answered, or 409 "
        "MissingSubscriptionRegistration.",
    )
    readonly_lock_blocks_post: Literal["yes", "no"] = switch(
        "yes",
        "A ReadOnly lock blocks POST actions as well as PUT and PATCH.",
    )
    list_page_size: int = switch(
        0,
        "The largest page of a provider's list; 0 draws uneven pages of 50 to 300 as recorded.",
    )

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for spec in fields(self):
            _check(spec, hints[spec.name], getattr(self, spec.name))


def _check(spec: Field[Any], hint: Any, value: object) -> None:
    allowed = allowed_answers(hint)
    if allowed:
        if value not in allowed:
            raise ProfileError(f"profile switch {spec.name}: {value!r} is none of {', '.join(map(repr, allowed))}")
    elif not isinstance(value, hint if isinstance(hint, type) else object) or isinstance(value, bool) != (hint is bool):
        raise ProfileError(f"profile switch {spec.name}: {value!r} is no {getattr(hint, '__name__', hint)}")


def allowed_answers(hint: Any) -> tuple[Any, ...]:
    """The answers a switch's type allows; empty for a number."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        return typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return tuple(answer for part in typing.get_args(hint) for answer in allowed_answers(part))
    return ()


def load_profile(path: Path) -> Profile:
    """The profile of a JSON or TOML file: an object of switch names and answers.

    Raises:
        ProfileError: when the file cannot be read or parsed, or names what does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else msgspec.json.decode(text)
    except (OSError, ValueError) as error:
        raise ProfileError(f"profile {path}: {error}") from error
    return profile_from(content)


def profile_from(content: object) -> Profile:
    """A profile from decoded JSON.

    Raises:
        ProfileError: when it is no object, or a name or an answer is unknown.
    """
    if not isinstance(content, dict):
        raise ProfileError("a profile is an object of switch names and answers")
    known = {spec.name for spec in fields(Profile)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise ProfileError(f"unknown profile switch: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return Profile(**content)


def describe() -> list[tuple[str, str, str, str]]:
    """The reference table: name, allowed answers, default, sentence; in the order of declaration."""
    hints = typing.get_type_hints(Profile)
    rows = []
    for spec in fields(Profile):
        answers = allowed_answers(hints[spec.name])
        shown = ", ".join(str(answer) for answer in answers) or hints[spec.name].__name__
        rows.append((spec.name, shown, str(spec.default), spec.metadata["doc"]))
    return rows
