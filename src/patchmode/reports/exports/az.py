"""A plan's changes as a shell script of `az rest`: POSIX sh, and any az from 2.78 to the newest.

`az vm update` is not used: it sends the whole machine, az 2.80 and later refuse the setting where its object is absent
(Azure/azure-cli issue 32671), and az 2.45 sends an empty object instead. `az rest` sends the body as it is, and does
not wait for the operation, so the script reads the machine until it has ended.
"""

from collections.abc import Iterator
from shlex import quote

from patchmode.model.plan import Plan
from patchmode.reports.exports.scripted import (
    BY_ETAG,
    NAMED_CLOUDS,
    ApiVersion,
    MachineRequest,
    address,
    cloud_in_tools,
    comments,
    preface,
    sections,
)

_FUNCTIONS = r"""
set -u
nl='
'
number=0
wait_s=${WAIT_S:-15}      # seconds between two reads of a machine whose change has not ended
rounds=${ROUNDS:-80}      # so many reads, then the script stops

refuse() {
  printf '%s\n' "$1" 'Nothing was sent.' >&2
  exit 1
}

stop() {
  printf '%s\n' "$1" "Stopped at machine $number of $total. Nothing was sent to the machines after it." >&2
  exit 1
}

# The machine's provisioningState and its settings, a line each.
show() {
  answer=$(az rest --method get --url "$url" --query "$query" -o tsv) || return 1
  printf '%s\n' "$answer" | tr -d '\r'
}

# change NAME URL BODY ETAG QUERY VALUE...: ETAG may be empty; VALUEs are what QUERY must show, after provisioningState.
change() {
  name=$1 url=$2 body=$3 etag=$4 query=$5
  shift 5
  wanted=$(printf '%s\n' "$@")
  number=$((number + 1))
  shown=$(show) || stop "$name: could not be read; nothing was sent to it."
  end='already has the settings, nothing was sent'
  if [ "${shown#*"$nl"}" != "$wanted" ]; then
    end='changed, and compared'
    if [ -n "$etag" ]; then
      az rest --method patch --url "$url" --headers "If-Match=$etag" --body "$body" -o none
    else
      az rest --method patch --url "$url" --body "$body" -o none
    fi || stop "$name: az reported an error, see above.
If it says Precondition Failed, the machine was changed since the plan: make a new plan.
Otherwise the change may have been applied: run the script again, it reads the machine first."
    shown=$(show) || stop "$name: the change was accepted, and the machine could not be read afterwards."
  fi
  round=0
  while :; do
    case ${shown%%"$nl"*} in Succeeded | Failed | Canceled) break ;; esac
    round=$((round + 1))
    [ "$round" -lt "$rounds" ] || stop "$name: the change has not ended yet: provisioningState ${shown%%"$nl"*}."
    sleep "$wait_s"
    shown=$(show) || stop "$name: the machine could not be read; whether its change succeeded is not known."
  done
  [ "$shown" = "Succeeded$nl$wanted" ] || stop "$name: not as planned. The machine shows:$nl$shown"
  printf '%s\n' "$number of $total $name: $end"
}
"""


def az_script(plan: Plan, source: str, api_version: ApiVersion) -> Iterator[str]:
    """The script, in pieces.

    Args:
        plan: with at least one change.
        source: the plan file's name.
        api_version: of each kind of machine.
    """
    yield "#!/bin/sh\n"
    yield from (f"{line}\n" for line in comments(preface(plan, source, precondition=BY_ETAG)))
    yield _FUNCTIONS
    yield f"total={len(plan.changes)}\n"
    yield from _guard(plan)
    for section in sections(plan, api_version):
        if section.title:
            yield f"\n# {section.title}\nprintf '%s\\n' {quote(section.title)}\n"
        for request in section.requests:
            yield _call(request, address(plan, request))
    yield f"\nprintf '%s\\n' {quote(_end(plan))}\n"


def _guard(plan: Plan) -> Iterator[str]:
    """Refuse another cloud or tenant; az knows both without asking Azure."""
    endpoint, tenant = plan.target.endpoint.lower(), plan.target.tenant_id.lower()
    yield (
        "\nendpoint=$(az cloud show --query endpoints.resourceManager -o tsv | tr -d '\\r' | tr '[:upper:]' "
        "'[:lower:]')\n"
        f'[ "${{endpoint%/}}" = {quote(endpoint)} ] || '
        f'refuse "az is set to $endpoint, and the plan is for another cloud. Choose it: {_chosen(plan)}"\n'
    )
    subscriptions = " ".join(quote(one) for one in sorted({change.id.subscription_id for change in plan.changes}))
    yield (
        f"for subscription in {subscriptions}; do\n"
        "  tenant=$(az account show --subscription \"$subscription\" --query tenantId -o tsv | tr -d '\\r' | "
        "tr '[:upper:]' '[:lower:]')\n"
        f'  [ "$tenant" = {quote(tenant)} ] || refuse "az is not signed in to the plan\'s tenant for subscription '
        '$subscription."\n'
        "done\n"
    )


def _chosen(plan: Plan) -> str:
    named = f"az cloud set --name {cloud_in_tools(plan, 'NAME')} && az login"
    return named if plan.target.cloud in NAMED_CLOUDS else f"{named} (az cloud register adds a cloud)."


def _call(request: MachineRequest, url: str) -> str:
    query, values = ["properties.provisioningState"], []
    for path, value in request.expected.items():
        # A boolean is compared by az itself, so that one that is absent shows as false and a text never as true.
        query.append(f"{path} == `true`" if isinstance(value, bool) else path)
        values.append(str(value).lower() if isinstance(value, bool) else value)
    words = (request.name, url, request.body, request.etag or "", f"[{', '.join(query)}]")
    lines = [*map(quote, words), " ".join(map(quote, values))]
    return f"\n# {request.told}\nchange " + " \\\n  ".join(lines) + "\n"


def _end(plan: Plan) -> str:
    told = "All machines of the plan have its settings."
    return told if plan.then_attach is None else f"{told} Its schedule was not attached."
