"""A plan's changes as requests of a `.http` file, as the REST clients of VS Code and JetBrains read it."""

import json
from collections.abc import Iterator

from patchmode.model.plan import Plan
from patchmode.reports.exports.scripted import (
    BY_ETAG,
    BY_HAND,
    ApiVersion,
    MachineRequest,
    address,
    cloud_in_tools,
    comments,
    preface,
    sections,
)

_SIGNING_IN = (
    "Paste a token where it says TOKEN; `az account get-access-token --query accessToken -o tsv` prints one of the "
    "account that az is signed in with, for the cloud that az is set to. It is a secret: do not save the file with it."
)


def rest_file(plan: Plan, source: str, api_version: ApiVersion) -> Iterator[str]:
    """The file, in pieces: for each machine its PATCH, and a GET to compare.

    Args:
        plan: with at least one change.
        source: the plan file's name.
        api_version: of each kind of machine.
    """
    signing_in = _SIGNING_IN
    if plan.target.cloud != "AzureCloud":
        signing_in += f" Before it run `az cloud set --name {cloud_in_tools(plan, 'NAME')}` and `az login`."
    paragraphs = (*preface(plan, source, precondition=BY_ETAG, running=BY_HAND, it="this file"), signing_in)
    yield from (f"{line}\n" for line in comments(paragraphs))
    yield "\n@token = TOKEN\n"
    number = 0
    for section in sections(plan, api_version):
        if section.title:
            yield f"\n### {section.title}\n"
        for request in section.requests:
            number += 1
            yield _pair(request, f"{number} of {len(plan.changes)}", address(plan, request))


def _pair(request: MachineRequest, place: str, url: str) -> str:
    precondition = "" if request.etag is None else f"If-Match: {request.etag}\n"
    expected = {"properties.provisioningState": "Succeeded", **request.expected}
    shown = "".join(f"# {path}: {json.dumps(value)}\n" for path, value in expected.items())
    # Two braces begin a variable of the client; in JSON they can only be inside a string.
    body = request.body.replace("{{", "{\\u007b")
    signed = "Authorization: Bearer {{token}}\n"
    return (
        f"\n### {place} {request.name}: change\n# {request.told}\n"
        f"PATCH {url} HTTP/1.1\n{signed}Content-Type: application/json\n{precondition}"
        f"\n{body}\n"
        f"\n### {place} {request.name}: compare, again while provisioningState is Updating\n{shown}"
        f"GET {url} HTTP/1.1\n{signed}"
    )
