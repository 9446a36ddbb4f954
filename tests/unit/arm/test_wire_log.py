"""What `--debug` shows of a request and its answer: everything but what opens a door."""

import json
import logging

import pytest

from patchmode.arm.wire_log import LOG, log_answer, log_request, shown_body, shown_url

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiIxMTExIn0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
SIGNED = "https://management.azure.com/subscriptions/1/operations/2?api-version=2024-03-01&t=638&c=MIIH&s=SIG&h=HASH"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            SIGNED,
            f"{SIGNED.partition('&')[0]}&t=*****&c=*****&s=*****&h=*****",
        ),
        (
            "https://management.azure.com/x?api-version=1&$filter=name%20eq%20'a'&$skiptoken=abc",
            "https://management.azure.com/x?api-version=1&$filter=name%20eq%20%27a%27&$skiptoken=*****",
        ),
        ("https://user:password@host/x", "https://host/x"),
        ("https://[broken", "*****"),
    ],
)
def test_an_address_shows_only_what_is_known_to_be_harmless(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_secrets_in_bodies_are_hidden_wherever_they_are() -> None:
    """The model of a VM never has them in an answer; what somebody typed elsewhere may."""
    body = {
        "osProfile": {"adminPassword": "p4ss", "customData": "Zm9v", "secrets": [{"uri": "u"}], "computerName": "web"},
        "extensions": [{"protectedSettings": {"key": "k"}, "settings": {"url": f"see {SIGNED}"}}],
        "error": {"message": f"the token {TOKEN} has expired"},
        "blob": "HTTPS://c.example/b?sig=S1G, http://c.example/b?sig=S1G and b?sv=1&sig=S1G&se=2",
        "tokenCount": 3,
        "disablePasswordAuthentication": True,
    }
    shown = json.loads(shown_body(json.dumps(body).encode()))
    assert shown["osProfile"] == {
        "adminPassword": "*****",
        "customData": "*****",
        "secrets": "*****",
        "computerName": "web",
    }
    assert shown["extensions"][0]["protectedSettings"] == "*****"
    assert "SIG" not in shown["extensions"][0]["settings"]["url"]
    assert shown["error"] == {"message": "the token ***** has expired"}
    assert "S1G" not in shown["blob"]
    assert (shown["tokenCount"], shown["disablePasswordAuthentication"]) == (3, True)


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"<html>secret</html>", "(19 characters that are not JSON)"),
        (b"[" * 100_000, "(100,000 characters that are not JSON)"),
        (b'"' + b"x" * (1 << 20) + b'"', "(1,048,578 characters)"),
        ({"a": 1}, '{\n  "a": 1\n}'),
    ],
    ids=["html", "deep", "long", "values"],
)
def test_what_is_no_json_is_told_by_its_length(body: object, shown: str) -> None:
    assert shown_body(body) == shown


def test_headers_that_sign_in_are_hidden(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=LOG.name):
        headers = {"Authorization": f"Bearer {TOKEN}", "x-ms-authorization-auxiliary": TOKEN, "Accept": "json"}
        log_request("PATCH", SIGNED, headers, None)
        log_answer(202, {"Azure-AsyncOperation": SIGNED, "Set-Cookie": "a=b", "x-ms-request-id": "7"}, b"", asked={})
    text = caplog.text
    assert TOKEN not in text
    assert "SIG" not in text
    assert "a=b" not in text
    assert "'Accept': 'json'" in text
    assert "'x-ms-request-id': '7'" in text
    assert "This request has no body" in text
