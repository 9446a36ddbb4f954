"""Retry-After in every form: seconds, dates, milliseconds, text, and what is none of them."""

from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from patchmode.arm.rate_limits import asked_wait_s, http_date, said_wait_s, span_text, wait_in

NOW = datetime(2026, 11, 30, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("007", 7.0),
        ("0.2", 0.2),
        ("324", 324.0),
        ("361", 361.0),
        ("1000000000", 1e9),
        ("9" * 10, 1e9),
        ("9" * 5000, 1e9),
        ("5, 10", 10.0),
        ("10,5", 10.0),
        ("Mon, 30 Nov 2026 12:05:00 GMT", 300.0),
        ("Monday, 30-Nov-26 12:05:00 GMT", 300.0),
        ("Mon Nov 30 12:05:00 2026", 300.0),
        ("Tue Dec  1 12:00:00 2026", 86_400.0),
        ("Mon, 30 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 30 Nov 2026 12:00:60 GMT", 59.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0.0),
        ("Wed, 30 Nov 2039 12:00:00 GMT", 410_227_200.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("+5", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("٧", None),
        ("5 seconds", None),
        ("5, soon", None),
        ("Mon, 31 Nov 2026 12:05:00 GMT", None),
        ("Mon, 30 Nov 2026 25:05:00 GMT", None),
        ("Mon, 30 Noo 2026 12:05:00 GMT", None),
        ("Mon, 30 Nov 2026 12:05:00 CET", None),
        ("2026-11-30T12:05:00Z", None),
    ],
)
def test_each_form_in_seconds(text: str, seconds: float | None) -> None:
    """A form that is not understood was taken for "at once", and a long wait for a failure of the machine."""
    assert wait_in(text, date=None, now=NOW) == seconds


def test_a_date_is_counted_from_the_answers_own() -> None:
    """The clock here may be an hour off; the service's two times are of one clock."""
    headers = CIMultiDict({"Retry-After": "Mon, 30 Nov 2026 13:05:00 GMT", "Date": "Mon, 30 Nov 2026 13:00:00 GMT"})
    assert said_wait_s(headers, NOW) == 300.0
    headers["Date"] = "yesterday"
    assert said_wait_s(headers, NOW) == 3900.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after-ms": "200"}, 0.2),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "3", "x-ms-retry-after-ms": "1500"}, 3.0),
        ({"retry-after": "soon", "x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "Mon, 30 Nov 2026 12:05:00 GMT"}, None),
    ],
)
def test_milliseconds_count_where_there_are_no_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert said_wait_s(CIMultiDict(headers), NOW) == seconds


def test_the_text_of_a_throttle_counts_where_no_header_says() -> None:
    body = b'{"error":{"code":"X","message":"Please try again after \'6\' seconds."}}'
    assert asked_wait_s(429, {}, body, NOW) == 6.0
    assert asked_wait_s(429, {"retry-after": "9"}, body, NOW) == 9.0
    assert asked_wait_s(503, {}, body, NOW) is None


def test_two_digits_of_a_year_are_near() -> None:
    assert http_date("Sunday, 06-Nov-94 08:49:37 GMT", NOW) == datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    assert http_date("Friday, 06-Nov-76 08:49:37 GMT", NOW) == datetime(2076, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (8, "8 s"),
        (119, "119 s"),
        (300, "5 min"),
        (900, "15 min"),
        (100_000, "27 h 47 min"),
        (7200, "2 h"),
        (864_000, "10 days"),
        (1e9, "more than a year"),
    ],
)
def test_a_wait_in_words(seconds: float, text: str) -> None:
    assert span_text(seconds) == text
