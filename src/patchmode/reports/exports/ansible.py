"""A plan's changes as an Ansible playbook of azure.azcollection: a play for each machine, all with the same tasks.

`azure_rm_virtualmachine` is not used: it has no patch settings, and leaves them out of the PUT that it sends.
`azure_rm_resource` sends the body as it is, has no parameter for headers, and does not wait for an operation that was
answered with 200, so that the tasks compare the etag before and read the machine until it has ended. Source: the code
of both modules, azure.azcollection 3.12.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from patchmode.model.plain_text import printable
from patchmode.model.plan import Plan
from patchmode.reports.exports.scripted import (
    ApiVersion,
    MachineRequest,
    cloud_in_tools,
    comments,
    is_word,
    preface,
    sections,
    with_escapes,
)

_PRECONDITION = (
    "A machine whose etag is not the plan's is not changed, also if only a tag was changed: make a new plan for it. "
    "azure_rm_resource cannot send If-Match, so a change made between that comparison and the PATCH is not noticed."
)
_RUNNING = (
    "The playbook does not ask. It changes one machine after the other and ends at the first that fails. Run it again "
    "to continue: a machine that has the settings is not changed again. With --check it reads and compares each "
    "machine, and changes none."
)
_NEEDS = (
    "It needs the collection azure.azcollection with its requirements, and a sign-in for its modules, such as az "
    "login; with one by environment variables they want AZURE_SUBSCRIPTION_ID, too, but a machine is named by its "
    "whole id. AZURE_CLOUD_ENVIRONMENT must be CLOUD. It reads every 15 seconds, up to 80 times, whether a change has "
    "ended; -e wait_s=N and -e rounds=N change that."
)
_TASKS = r"""
  tasks: &change_machine
    - name: Read the machine
      azure.azcollection.azure_rm_resource_info: &read
        url: "{{ machine.path }}"
        api_version: "{{ machine.api_version }}"
      register: before
    - name: Refuse a machine that is not there, or that was changed since the plan
      ansible.builtin.assert:
        that:
          - before.response[0].properties is defined
          - machine.etag is none or is_planned | bool or before.response[0].etag | default('') == machine.etag
        fail_msg: Not found, or changed since the plan. Nothing was sent to it. Make a new plan for it.
        quiet: true
      vars: &compared_before
        shown: "{{ machine.absent | combine(before.response[0], recursive=true) }}"
        is_planned: &is_planned >-
          {{ (shown | combine(machine.body, recursive=true) | to_json(sort_keys=true))
          == (shown | to_json(sort_keys=true)) }}
    - name: Change the settings
      azure.azcollection.azure_rm_resource:
        method: PATCH
        url: "{{ machine.path }}"
        api_version: "{{ machine.api_version }}"
        body: "{{ machine.body }}"
        status_code: [200, 201, 202]
      vars: *compared_before
      when: not (is_planned | bool)
    - name: Read the machine until its change has ended
      azure.azcollection.azure_rm_resource_info: *read
      register: after
      until: after.response[0].properties.provisioningState in ['Succeeded', 'Failed', 'Canceled']
      retries: "{{ rounds | default(80) | int }}"
      delay: "{{ wait_s | default(15) | int }}"
      when: not ansible_check_mode
    - name: Compare the settings
      ansible.builtin.assert:
        that:
          - after.response[0].properties.provisioningState == 'Succeeded'
          - is_planned | bool
        fail_msg: "Not as planned. The machine shows: {{ after.response[0].properties }}"
        quiet: true
      vars:
        shown: "{{ machine.absent | combine(after.response[0], recursive=true) }}"
        is_planned: *is_planned
      when: not ansible_check_mode
"""
_KNOWN = {'"': r"\"", "\\": r"\\"}
_SAME_TASKS = "\n  tasks: *change_machine\n"


def _cloud(plan: Plan) -> str:
    """What the modules call the cloud. Source: azure.azcollection, option `cloud_environment`."""
    if plan.target.cloud == "AzureCloud":
        return "AzureCloud, or not be set"
    return cloud_in_tools(plan, f"the address {printable(plan.target.endpoint)}")


def ansible_playbook(plan: Plan, source: str, api_version: ApiVersion) -> Iterator[str]:
    """The playbook, in pieces.

    Args:
        plan: with at least one change.
        source: the plan file's name.
        api_version: of each kind of machine.
    """
    head = preface(plan, source, precondition=_PRECONDITION, running=_RUNNING, it="this playbook")
    yield from (f"{line}\n" for line in comments((*head, _NEEDS.replace("CLOUD.", f"{_cloud(plan)}."))))
    yield "---\n"
    number = 0
    for section in sections(plan, api_version):
        if section.title:
            yield f"# {section.title}\n"
        for request in section.requests:
            number += 1
            yield _play(request, f"{number} of {len(plan.changes)} {request.name}")
            yield _TASKS if number == 1 else _SAME_TASKS


def _play(request: MachineRequest, place: str) -> str:
    path, _, _ = request.path.partition("?")
    machine = {
        "path": path,
        "api_version": request.api_version,
        "etag": request.etag,
        "absent": _false_only(request.change.body),
        "body": request.change.body,
    }
    # Ansible replaces templates in the name of a play, too, and there nothing marks a text as unsafe.
    shown = quoted(place.replace("{", "\\x7b"), is_template=True)
    return (
        f"# {request.told}\n- name: {shown}\n  hosts: localhost\n  connection: local\n  gather_facts: false\n"
        f"  vars:\n    machine:{_yaml(machine, 6)}"
    )


def _false_only(body: Mapping[str, Any]) -> dict[str, Any]:
    """What of a body is false: what the machine has where it shows nothing there."""
    found: dict[str, Any] = {}
    for name, inner in body.items():
        if isinstance(inner, Mapping):
            if nested := _false_only(inner):
                found[name] = nested
        elif inner is False:
            found[name] = False
    return found


def _yaml(value: object, indent: int) -> str:
    """A value behind its name: an object on lines of its own, all else on the same line."""
    if isinstance(value, Mapping):
        margin = "\n" + " " * indent
        members = (
            f"{margin}{name if is_word(name) else quoted(name)}:{_yaml(inner, indent + 2)}"
            for name, inner in value.items()
        )
        return "".join(members) or " {}"
    if isinstance(value, bool):
        return f" {str(value).lower()}"
    return " null" if value is None else f" {quoted(str(value))}"


def quoted(text: str, *, is_template: bool = False) -> str:
    """A text as a string of YAML in which Ansible replaces nothing: one that holds a brace is marked as unsafe.

    Args:
        text: any.
        is_template: whether the mark is left out.

    Source: Advanced playbook syntax (unsafe or raw strings), docs.ansible.com.
    """
    mark = "!unsafe " if "{" in text and not is_template else ""
    return f'{mark}"{with_escapes(text, _KNOWN)}"'
