"""What subscriptions are called: no two alike, none like another's id, whatever their owners typed."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.model.target import SubscriptionNames, labels

PRODUCTION, DEVELOPMENT, HUB = (f"{digit * 8}-{digit * 4}-{digit * 4}-{digit * 4}-{digit * 12}" for digit in "234")
ALIKE = "22222222-2222-2222-2222-222222222223"
"""Differs from PRODUCTION in its last digit only."""
_IDS = (PRODUCTION, DEVELOPMENT, HUB, ALIKE, "deadbeef-0000-4000-8000-000000000001")
_NAMES = st.one_of(
    st.sampled_from(
        (
            "",
            " ",
            "Production",
            "production",
            "PRODUCTION ",
            "Prod uction",
            "Production\u200b",
            "Production\u3164",
            "Production (22222222)",
            "Production (33333333)",
            "Production (22222222-2222)",
            "22222222",
            "22222222…",
            "２２２２２２２２",
            PRODUCTION,
            DEVELOPMENT.upper(),
            f"Production {DEVELOPMENT}",
            "Prod\x1b[31m",
            "Prod\\x1b[31m",
            "line\nfeed",
            "\u202enoitcudorP",
            "Contoso Production Western Europe Finance and Controlling A",
            "Contoso Production Western Europe Finance and Controlling B",
            "本番環境サブスクリプション",
            "Straße",
            "STRASSE",
            "x" * 300,
        )
    ),
    st.text(max_size=40),
    st.from_regex(r"(Prod )?\(?[0-9a-f]{8}(-[0-9a-f]{4})?\)?", fullmatch=True),
)
_SETS = st.dictionaries(st.sampled_from(_IDS), _NAMES)


def _seen(label: str) -> str:
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())


@given(_SETS, st.sets(st.sampled_from(_IDS)))
def test_no_two_labels_can_be_taken_for_each_other(known: dict[str, str], others: set[str]) -> None:
    """Twins are told apart wherever they are named."""
    found = labels(SubscriptionNames.of(known.items()), others)
    assert set(found) == {*known, *others}
    assert len({_seen(label) for label in found.values()}) == len(found)
    assert all(label and label.isprintable() for label in found.values())


@given(_SETS)
def test_no_label_reads_as_another_subscriptions_id(known: dict[str, str]) -> None:
    """A name is what its owner typed; an id in a label is always the subscription's own."""
    for subscription_id, label in labels(SubscriptionNames.of(known.items())).items():
        text = unicodedata.normalize("NFKC", label).casefold()
        # Whatever else a label holds, what ends it in brackets, or is all of it, is its own id.
        last = re.search(r"(?:^|\()([0-9a-f]{8}[0-9a-f-]*)\)?…?$", text)
        if last:
            assert subscription_id.startswith(last[1].rstrip("-"))
        for other in set(known) - {subscription_id}:
            assert other not in text


@given(st.lists(st.tuples(st.sampled_from(_IDS), _NAMES), unique_by=lambda pair: pair[0]))
def test_labels_hang_on_the_set_and_not_on_its_order(pairs: list[tuple[str, str]]) -> None:
    """Two commands that list the same subscriptions in another order call them the same."""
    shuffled = sorted(pairs, key=lambda pair: pair[1])[::-1]
    upper = [(subscription_id.upper(), name) for subscription_id, name in shuffled]
    expected = labels(SubscriptionNames.of(pairs))
    assert labels(SubscriptionNames.of(shuffled)) == expected
    assert labels(SubscriptionNames.of(upper)) == expected


@given(_SETS, st.sets(st.sampled_from(_IDS)))
def test_what_is_kept_for_a_plan_makes_the_same_labels(known: dict[str, str], ids: set[str]) -> None:
    """A journal tells without Azure what the plan told with it."""
    names = SubscriptionNames.of(known.items())
    now = labels(names, _IDS)
    later = labels(names.kept_for(ids), ids)
    for subscription_id in ids:
        # The short id may be shorter, where the one that resembles it was not kept.
        assert later[subscription_id].partition(" (")[0] == now[subscription_id].partition(" (")[0]


TABLE: tuple[tuple[dict[str, str], dict[str, str]], ...] = (
    ({PRODUCTION: "Production", DEVELOPMENT: "Development"}, {PRODUCTION: "Production", DEVELOPMENT: "Development"}),
    (
        {PRODUCTION: "Shared", DEVELOPMENT: "shared", HUB: "Hub"},
        {PRODUCTION: "Shared (22222222)", DEVELOPMENT: "shared (33333333)", HUB: "Hub"},
    ),
    (
        {PRODUCTION: "Shared", ALIKE: "Shared"},
        {PRODUCTION: f"Shared ({PRODUCTION})", ALIKE: f"Shared ({ALIKE})"},
    ),
    ({PRODUCTION: "", DEVELOPMENT: "  "}, {PRODUCTION: PRODUCTION, DEVELOPMENT: DEVELOPMENT}),
    ({PRODUCTION: DEVELOPMENT}, {PRODUCTION: PRODUCTION}),
    (
        {PRODUCTION: "Prod (33333333)", DEVELOPMENT: "Prod"},
        {PRODUCTION: "Prod (33333333) (22222222)", DEVELOPMENT: "Prod"},
    ),
    ({PRODUCTION: "a\x1b[2Jb\u202ec"}, {PRODUCTION: "a\\x1b[2Jb\\u202ec"}),
    ({PRODUCTION: "Produktion 20261130"}, {PRODUCTION: "Produktion 20261130"}),
)


@pytest.mark.parametrize(("known", "expected"), TABLE, ids=[str(at) for at in range(len(TABLE))])
def test_labels(known: dict[str, str], expected: dict[str, str]) -> None:
    """The name where it is unique, with the id where it is not, the id where there is no name."""
    assert labels(SubscriptionNames.of(known.items())) == expected


def test_a_long_name_is_not_cut() -> None:
    """Two of 64 letters may differ in any of them, and whoever copies one needs it whole."""
    known = {PRODUCTION: "Contoso Production Western Europe Finance and Controlling A 2026", DEVELOPMENT: "x" * 64}
    assert labels(SubscriptionNames.of(known.items())) == known


def test_a_subscription_whose_name_is_not_known_is_called_by_its_id() -> None:
    """Plans of versions that kept no names say the id, and nothing that looks like a name."""
    assert labels(SubscriptionNames(), [PRODUCTION.upper()]) == {PRODUCTION: PRODUCTION}
