"""What is handed on, in the shape of the recordings; and what is kept until then, over a kill."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from patchmode.errors import RefusedError, StorageError
from patchmode.model.exchange import Exchange
from patchmode.store.exchange_file import ExchangeLog, write_exchanges

AT = datetime(2030, 1, 1, 3, 4, 5, tzinfo=UTC)
READ = Exchange(
    "GET", "https://x.example/a", {"accept": "application/json"}, b"", 200, {"etag": '"1"'}, b'{"a":[1]}', AT
)
WRITTEN = Exchange("PATCH", "https://x.example/a", {}, b'{"b":null}', 202, {}, b"", AT)
ODD = Exchange("GET", "https://x.example/a", {}, b"", 503, {}, b"\xff\x00<html>", AT)


def test_the_file_has_the_shape_of_the_recordings(tmp_path: Path) -> None:
    write_exchanges(tmp_path / "m.json", [READ, WRITTEN], "patchmode 1.0 live-check")
    first, second = json.loads((tmp_path / "m.json").read_bytes())
    assert first == {
        "source": "patchmode 1.0 live-check#0",
        "notes": "Retry-After kept; names, ids and secrets replaced; headers that may identify the sender left out",
        "request": {
            "method": "GET",
            "url": "https://x.example/a",
            "headers": {"accept": "application/json"},
            "body": None,
        },
        "response": {"status": 200, "headers": {"etag": '"1"'}, "body": {"a": [1]}},
    }
    assert (second["source"], second["request"]["body"]) == ("patchmode 1.0 live-check#1", {"b": None})
    assert second["response"] == {"status": 202, "headers": {}, "body": None}


def test_no_exchange_is_an_empty_list(tmp_path: Path) -> None:
    write_exchanges(tmp_path / "m.json", [], "s")
    assert json.loads((tmp_path / "m.json").read_bytes()) == []


def test_a_log_gives_back_what_it_was_given(tmp_path: Path) -> None:
    """Another process appends to it later; nobody else may read it."""
    path = tmp_path / "raw.jsonl"
    assert ExchangeLog(path).read() == []
    for exchange in (READ, ODD):
        ExchangeLog(path).append(exchange)
    ExchangeLog(path).append(WRITTEN)
    assert ExchangeLog(path).read() == [READ, ODD, WRITTEN]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    ExchangeLog(path).append(READ)
    ExchangeLog(path).append(WRITTEN)
    path.write_bytes(path.read_bytes()[:-20])
    assert ExchangeLog(path).read() == [READ]
    ExchangeLog(path).append(ODD)
    assert ExchangeLog(path).read() == [READ, ODD]


def test_a_damaged_log_is_refused_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "raw.jsonl"
    ExchangeLog(path).append(READ)
    path.write_bytes(b"{}\n" + path.read_bytes())
    with pytest.raises(RefusedError, match="line 1 is not a recorded exchange"):
        ExchangeLog(path).read()


def test_where_it_cannot_be_written_is_said(tmp_path: Path) -> None:
    """A link is not followed: it may lead to somebody else's file."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for place in (tmp_path / "missing" / "raw.jsonl", tmp_path / "link"):
        with pytest.raises(StorageError, match="could not write"):
            ExchangeLog(place).append(READ)
    assert not (tmp_path / "target").exists()
