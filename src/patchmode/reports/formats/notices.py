"""A notice as Microsoft Teams, Slack or any other receiver takes it: the JSON body of one POST.

Must not: know where it is sent.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from patchmode.documents.notice import NoticeDocument

_WORDS = {
    "notSent": "not sent",
    "notAttached": "schedules not attached",
    "attached": "schedules attached",
    "failedLooks": "failed audits",
    "looks": "audits",
}
"""Count → what it is called where people read it; the others are called as they are."""
_ALWAYS = frozenset({"scope", "applied", "failed", "looks", "machines", "changed"})
"""Counts that are shown even at 0."""
_SLACK_FIELDS = 10
_SLACK_HEADER = 150
"""Source: Slack, "Reference: blocks" (docs.slack.dev/reference/block-kit/blocks): a section has at most 10 fields, and
a header's text 150 characters."""


def notice_body(notice: NoticeDocument, kind: str) -> Any:
    """The body to send, as JSON values.

    Args:
        notice: how the command ended.
        kind: one of `KINDS`.
    """
    return KINDS[kind](notice)


def kind_for(address: str) -> str:
    """The kind that the host of an address takes; `json` where it is none of Microsoft's or Slack's.

    Source: Slack, "Sending messages using incoming webhooks": `hooks.slack.com`. Microsoft, "Create incoming webhooks
        with Workflows for Microsoft Teams": addresses of Power Automate, below `logic.azure.com`, and since 2025 below
        `api.powerplatform.com`; the retired connectors of Office 365 stood below `webhook.office.com`.
    """
    host = (urlsplit(address).hostname or "").casefold()
    for kind, ends in _HOSTS.items():
        if any(host == end or host.endswith(f".{end}") for end in ends):
            return kind
    return "json"


_HOSTS: Mapping[str, tuple[str, ...]] = {
    "slack": ("hooks.slack.com", "hooks.slack-gov.com"),
    "teams": (
        "logic.azure.com",
        "logic.azure.us",
        "logic.azure.cn",
        "api.powerplatform.com",
        "api.powerplatform.us",
        "webhook.office.com",
    ),
}


def _title(notice: NoticeDocument) -> str:
    return f"patchmode {notice.command}: exit code {notice.exit_code}"


def _verdict(notice: NoticeDocument) -> str:
    stopped = f" Stopped by: {', '.join(notice.halts)}." if notice.halts else ""
    return f"{notice.verdict[:1].upper()}{notice.verdict[1:]}.{stopped}"


def _facts(notice: NoticeDocument) -> list[tuple[str, str]]:
    counts = [(_WORDS.get(name, name), f"{n:,}") for name, n in notice.counts.items() if n or name in _ALWAYS]
    run = [("run", notice.run)] if notice.run else []
    where = [("cloud", notice.target.cloud), ("tenant", notice.target.tenant_id)] if notice.target else []
    return [*run, *counts, *where]


def _json(notice: NoticeDocument) -> Any:
    return msgspec.to_builtins(notice)


def _teams(notice: NoticeDocument) -> Any:
    """A message with an Adaptive Card, as the workflow "Post to a channel when a webhook request is received" takes it.

    Texts that are not ours are `TextRun`, which has no markup.

    Source: Microsoft, "Create incoming webhooks with Workflows for Microsoft Teams" (learn.microsoft.com, teams
        platform), and the schema of Adaptive Cards 1.2, adaptivecards.io.
    """
    commands = [
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": one, "fontType": "Monospace"}]}
        for one in notice.next
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [
            {"type": "TextBlock", "text": _title(notice), "weight": "Bolder", "size": "Medium", "wrap": True},
            {"type": "TextBlock", "text": _verdict(notice), "wrap": True},
            {"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in _facts(notice)]},
            *commands,
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _slack(notice: NoticeDocument) -> Any:
    """A message of Block Kit, with the text that notifications show.

    Source: Slack, "Sending messages using incoming webhooks" and "Formatting message text" (docs.slack.dev): `&`, `<`
        and `>` are escaped.
    """
    facts = _facts(notice)
    fields = [_marked(f"*{_escaped(name)}*\n{_escaped(value)}") for name, value in facts[:_SLACK_FIELDS]]
    commands = "\n".join(_escaped(one.replace("`", "'")) for one in notice.next)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _title(notice)[:_SLACK_HEADER]}},
        {"type": "section", "text": _marked(_escaped(_verdict(notice)))},
    ]
    if fields:
        blocks.append({"type": "section", "fields": fields})
    if commands:
        blocks.append({"type": "section", "text": _marked(f"```{commands}```")})
    return {"text": _escaped(f"{_title(notice)}: {_verdict(notice)}"), "blocks": blocks}


def _marked(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


KINDS: Mapping[str, Callable[[NoticeDocument], Any]] = {"teams": _teams, "slack": _slack, "json": _json}
"""Kind → the body of a notice."""
