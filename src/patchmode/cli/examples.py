"""Three examples of every command: in its help before the options, and in the command reference.

The names in them are those of the emulator's fleet `schedules`, on which a test runs each one as it is written.
Must not: hold an example that only looks like a command.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A command line as one types it."""

    text: str
    """What it is for: a short sentence."""
    line: str
    """For a POSIX shell; a long one goes on after a backslash."""
    code: int = 0
    """How it ends on the emulator's fleet."""
    asks: bool = False
    """Whether it asks before it writes; the test answers with `--yes`."""
    lasts: bool = False
    """Whether it goes on until Ctrl-C, or for longer than a test waits."""


_ASSIGNMENT = (
    "  /subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app\\\n"
    "/providers/Microsoft.Authorization/policyAssignments/patchmode-prerequisite"
)
EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "": (
        Example("Check sign-in, subscriptions and permissions.", "patchmode doctor", 10),
        Example("See who patches each machine, and whether that will work.", "patchmode audit -g rg-app", 10),
        Example("Plan the change for the members of a schedule.", "patchmode plan --schedule mc-nightly", 10),
    ),
    "audit": (
        Example("Everything that you can see.", "patchmode audit", 10),
        Example("The web servers of one resource group.", "patchmode audit -g rg-app --name 'web-*'", 10),
        Example(
            "The machines that will fail in their next window, as CSV.",
            "patchmode audit -o csv --query \\\n  \"machines[?outcome=='schedule-fails'].[name,outcomeReason]\"",
            10,
        ),
    ),
    "plan": (
        Example("Plan a resource group, and keep the plan.", "patchmode plan -g rg-app --out plan.json", 10),
        Example(
            "Plan the machines whose last scheduled run failed on the prerequisite.",
            "patchmode plan --failed-since 7d --out fix.json",
            10,
        ),
        Example(
            "One subscription: two canaries first, then region by region.",
            "patchmode plan -s 'Contoso Production' --canary 2 --waves region \\\n  --out waves.json",
            10,
        ),
    ),
    "apply": (
        Example("Apply a plan file: shows it again, and asks.", "patchmode apply plan.json", asks=True),
        Example(
            "Plan and apply without a question, and stop after three failures.",
            "patchmode apply --tag ring=1 -g rg-app --yes --max-failures 3",
            0,
        ),
        Example(
            "Apply to named machines, then attach their schedule.",
            "patchmode apply -g rg-app --name 'web-06' --then-attach mc-nightly",
            0,
            asks=True,
        ),
    ),
    "verify": (
        Example("The latest run.", "patchmode verify"),
        Example("Every machine of a resource group, whoever changed it.", "patchmode verify -g rg-dev", 13),
        Example("Whether the next maintenance window succeeded.", "patchmode verify --after-window", 13),
    ),
    "watch": (
        Example(
            "Look every 15 minutes until something changes.", "patchmode watch -g rg-app --until-change", lasts=True
        ),
        Example("Compare with a saved audit, once: for cron and CI.", "patchmode watch --once --baseline base.json"),
        Example(
            "Look every minute, and print each change as a JSON line.",
            "patchmode watch --interval 1m -o jsonl",
            lasts=True,
        ),
    ),
    "rollback": (
        Example(
            "Undo the latest run that sent anything: shows what, and asks.", "patchmode rollback latest", asks=True
        ),
        Example(
            "Undo it for one machine.",
            "patchmode rollback latest --ids \\\n"
            "  /subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app\\\n"
            "/providers/Microsoft.Compute/virtualMachines/web-05",
            asks=True,
        ),
        Example("Undo it, and stop after the first failure.", "patchmode rollback latest --max-failures 1", asks=True),
    ),
    "runs": (
        Example("Every run, newest first.", "patchmode runs"),
        Example("The report of the latest run.", "patchmode runs show", 10),
        Example("Resume the run that was interrupted or stopped.", "patchmode runs resume", 10),
    ),
    "runs list": (
        Example("Every run, newest first.", "patchmode runs list"),
        Example(
            "The runs that did not finish, as CSV.",
            "patchmode runs list -o csv --query \"runs[?state!='finished'].[run,state]\"",
        ),
        Example("The runs of another state folder.", "patchmode runs list --state-dir state"),
    ),
    "runs show": (
        Example("The latest run.", "patchmode runs show"),
        Example("The latest run as JSON, for another program.", "patchmode runs show latest -o json > run.json"),
        Example(
            "What failed, with Azure's message.",
            "patchmode runs show -o csv \\\n  --query \"results[?result!='applied'].[id,error.message]\"",
        ),
    ),
    "runs resume": (
        Example("Resume the run that is open.", "patchmode runs resume", 10),
        Example("Apply all waves that are left.", "patchmode runs resume latest --last-wave none"),
        Example(
            "Resume after a spent failure budget, with a larger one.",
            "patchmode runs resume latest --yes --max-failures 10",
            10,
        ),
    ),
    "runs merge": (
        Example("One report of every journal and saved report below a folder.", "patchmode runs merge shards"),
        Example("Of two saved reports.", "patchmode runs merge shard-1.json shard-2.json"),
        Example("Of a run in the state folder and a saved report.", "patchmode runs merge latest shard-2.json"),
    ),
    "explain": (
        Example("One machine, by name.", "patchmode explain web-01", 10),
        Example(
            "One machine, by resource id.",
            "patchmode explain \\\n"
            "  /subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-app\\\n"
            "/providers/Microsoft.Compute/virtualMachines/web-04",
        ),
        Example(
            "The rules that say something about it.",
            "patchmode explain sql-01 --query 'machine.reasons[].[rule,message]'",
            10,
        ),
    ),
    "schedule": (
        Example("Every schedule, its next window and its members.", "patchmode schedule list"),
        Example("Who runs and who fails in the next 7 days.", "patchmode schedule next --days 7"),
        Example("What is wrong with schedules and assignments.", "patchmode schedule check", 10),
    ),
    "schedule list": (
        Example("Every schedule that you can see.", "patchmode schedule list"),
        Example("Those of one subscription.", "patchmode schedule list -s 'Contoso Production'"),
        Example("Their names and next windows.", "patchmode schedule list --query 'schedules[].[name,nextWindow]'"),
    ),
    "schedule show": (
        Example("One schedule with its members.", "patchmode schedule show mc-nightly"),
        Example("One of several schedules of that name.", "patchmode schedule show rg-app/mc-weekly"),
        Example("Its members as CSV.", "patchmode schedule show mc-nightly -o csv > members.csv"),
    ),
    "schedule next": (
        Example("The windows of the next 14 days.", "patchmode schedule next"),
        Example("Tonight's, of one schedule.", "patchmode schedule next --days 1 --schedule mc-nightly"),
        Example("When the web servers are patched.", "patchmode schedule next --name 'web-*'"),
    ),
    "schedule create": (
        Example(
            "Every second Tuesday of the month and four days, at 22:00.",
            "patchmode schedule create mc-monthly -s 'Contoso Production' -g rg-app \\\n"
            "  --location westeurope --start '2030-01-01 22:00' --duration 03:00 \\\n"
            "  --time-zone 'W. Europe Standard Time' --recur 'Month Second Tuesday Offset4'",
            asks=True,
        ),
        Example(
            "Every Saturday, security updates only, without restarts.",
            "patchmode schedule create mc-security -s 'Contoso Production' -g rg-app \\\n"
            "  --location westeurope --start '2030-01-05 03:00' --duration 02:00 \\\n"
            "  --time-zone UTC --recur '1Week Saturday' \\\n"
            "  --classifications Security --reboot Never",
            asks=True,
        ),
        Example(
            "Give a schedule another window: shows the difference, and asks.",
            "patchmode schedule create mc-nightly -s 'Contoso Production' -g rg-app \\\n"
            "  --location westeurope --start '2030-01-01 23:00' --duration 03:00 \\\n"
            "  --time-zone 'W. Europe Standard Time' --recur Day --replace",
            asks=True,
        ),
    ),
    "schedule update": (
        Example(
            "A longer window: shows the difference and who is concerned, and asks.",
            "patchmode schedule update mc-nightly --duration 03:30",
            asks=True,
        ),
        Example(
            "Exclude an update, and let Linux install all.",
            "patchmode schedule update mc-nightly --kb-exclude 5034439 \\\n"
            "  --linux-classifications Critical,Security,Other",
            asks=True,
        ),
        Example(
            "No excluded package any more, and no end.",
            "patchmode schedule update mc-weekly --package-exclude none --expires never",
            asks=True,
        ),
    ),
    "schedule delete": (
        Example(
            "A schedule that is not needed any more: shows its members, and asks.",
            "patchmode schedule delete mc-old",
            asks=True,
        ),
        Example(
            "One of several of that name, and keep what it was as JSON.",
            "patchmode schedule delete rg-dev/mc-old -o json > deleted.json",
            asks=True,
        ),
        Example(
            "Although members in some subscriptions cannot be seen.",
            "patchmode schedule delete mc-old --allow-unseen",
            asks=True,
        ),
    ),
    "schedule attach": (
        Example(
            "Attach a schedule to one machine.",
            "patchmode schedule attach mc-weekly -g rg-app --name web-08",
            asks=True,
        ),
        Example(
            "To the machines of a file, one id a line.",
            "patchmode schedule attach mc-weekly --ids-file machines.txt",
            asks=True,
        ),
        Example(
            "To every Windows machine of a group with a tag, new ones included.",
            "patchmode schedule attach mc-nightly --dynamic windows \\\n"
            "  -s 'Contoso Production' -g rg-app --filter-os windows --filter-tag ring=1",
            asks=True,
        ),
    ),
    "schedule detach": (
        Example("From one machine.", "patchmode schedule detach mc-weekly -g rg-data-prod --name sql-01", asks=True),
        Example(
            "From the machines of a file, one id a line.",
            "patchmode schedule detach mc-weekly --ids-file machines.txt",
            asks=True,
        ),
        Example(
            "Delete a dynamic scope.",
            "patchmode schedule detach mc-nightly --dynamic rings -s 'Contoso Production'",
            asks=True,
        ),
    ),
    "schedule check": (
        Example("Every schedule, assignment and limit.", "patchmode schedule check", 10),
        Example("One schedule.", "patchmode schedule check mc-nightly", 10),
        Example("Two, as JSON lines.", "patchmode schedule check mc-nightly mc-weekly -o jsonl", 10),
    ),
    "schedule failures": (
        Example("The last 7 days.", "patchmode schedule failures", 10),
        Example(
            "The last 30 days of one schedule.", "patchmode schedule failures --since 30d --schedule mc-nightly", 10
        ),
        Example("Of the web servers, as CSV.", "patchmode schedule failures --name 'web-*' -o csv > failures.csv", 10),
    ),
    "report": (
        Example("The current state as a page for people.", "patchmode report --out fleet.html", 10),
        Example("What the latest run did, as an Excel workbook.", "patchmode report --run latest --out run.xlsx"),
        Example("A saved audit as test results, for a pipeline.", "patchmode report --from base.json -o junit", 10),
    ),
    "policy": (
        Example("Which machines Azure Policy covers, and which it misses.", "patchmode policy audit -g rg-app", 10),
        Example(
            "The same for periodic assessment.", "patchmode policy audit -g rg-app --policy periodic-assessment", 10
        ),
        Example("For all three built-ins, as JSON.", "patchmode policy audit -g rg-app --policy all -o json", 10),
    ),
    "policy assign": (
        Example(
            "Prepare the machines of a resource group, later ones too.",
            "patchmode policy assign prerequisite -s 'Contoso Production' \\\n  -g rg-app --location westeurope",
            asks=True,
        ),
        Example(
            "By tag, without the machines that patchmode blocks.",
            "patchmode policy assign prerequisite -s 'Contoso Production' \\\n"
            "  --location westeurope --name ring1 --exempt-blocked \\\n"
            '  --param \'tagValues=[{"key": "ring", "value": "1"}]\'',
            asks=True,
        ),
        Example(
            "Periodic assessment of the Linux machines.",
            "patchmode policy assign periodic-assessment -s 'Contoso Production' \\\n"
            "  --location westeurope --name assess-linux --param osType=Linux",
            asks=True,
        ),
    ),
    "policy remediate": (
        Example(
            "One machine first, without waiting for it.",
            f"patchmode policy remediate --count 1 --no-wait \\\n{_ASSIGNMENT}",
            10,
            asks=True,
        ),
        Example(
            "Every machine that it would change; Azure stops at 10 % failures.",
            f"patchmode policy remediate \\\n{_ASSIGNMENT}",
            11,
            asks=True,
        ),
        Example(
            "Let Azure evaluate the machines first, and stop at no failure.",
            f"patchmode policy remediate --re-evaluate --failure-threshold 100 \\\n{_ASSIGNMENT}",
            11,
            asks=True,
        ),
    ),
    "policy audit": (
        Example(
            "Which machines the built-in for Customer Managed Schedules misses.", "patchmode policy audit -g rg-app", 10
        ),
        Example(
            "All three built-ins, of one subscription.",
            "patchmode policy audit --policy all -s 'Contoso Production'",
            10,
        ),
        Example(
            "The machines that the image list misses, as CSV.",
            "patchmode policy audit -g rg-app -o csv --query \\\n  "
            "\"policies[].machines[?reasons[?subject=='image']].id[]\"",
            10,
        ),
    ),
    "export": (
        Example("The changes as a shell script of az.", "patchmode export plan.json --as az --out change.sh"),
        Example("A change request for an advisory board.", "patchmode export plan.json --out change.md"),
        Example("A playbook, to run with Ansible.", "patchmode export plan.json --as ansible --out change.yml"),
    ),
    "iac": (
        Example("Check every file below a folder.", "patchmode iac check infra", 10),
        Example(
            "Values that the files do not show do not count.", "patchmode iac check infra/main.tf --accept-unknown", 10
        ),
        Example("Check a plan before it is applied.", "patchmode iac check tfplan.json", 10),
    ),
    "iac check": (
        Example("Check every file below a folder.", "patchmode iac check infra", 10),
        Example("As SARIF, for a pull request.", "patchmode iac check infra -o sarif > iac.sarif", 10),
        Example(
            "Add the lines that are missing: shows a diff, and asks.", "patchmode iac check infra --fix", asks=True
        ),
    ),
    "evidence": (
        Example("Pack the latest run for an auditor.", "patchmode evidence pack latest --out evidence.zip"),
        Example("Pack it without reading Azure again.", "patchmode evidence pack latest --offline --out offline.zip"),
        Example("Check that a pack is complete and unchanged.", "patchmode evidence check old.zip"),
    ),
    "evidence pack": (
        Example("The latest run, as a zip.", "patchmode evidence pack latest --out evidence.zip"),
        Example("As a folder.", "patchmode evidence pack latest --out evidence"),
        Example("Without reading Azure again.", "patchmode evidence pack latest --offline --out offline.zip"),
    ),
    "evidence check": (
        Example("A zip.", "patchmode evidence check evidence.zip"),
        Example("A folder.", "patchmode evidence check evidence"),
        Example(
            "What is wrong, as JSON.",
            "patchmode evidence check evidence.zip --query problems",
        ),
    ),
    "console": (
        Example("Look at everything that you can see; it cannot change anything.", "patchmode console", lasts=True),
        Example(
            "One subscription, on a port of your choice.",
            "patchmode console -s 'Contoso Production' --port 8765",
            lasts=True,
        ),
        Example("Also change machines.", "patchmode console -g rg-app --allow-writes", lasts=True),
    ),
    "mcp": (
        Example("The tools that read, as a client starts them.", "patchmode mcp"),
        Example("With half of Azure's rate limits, for a shared sign-in.", "patchmode mcp --share 50%"),
        Example("Also apply a plan file, once the client's user confirms it.", "patchmode mcp --allow-writes"),
    ),
    "live-check": (
        Example(
            "Run the experiments on a throw-away VM, and keep what was decided.",
            "patchmode live-check --profile-file measured.toml --vm \\\n"
            "  /subscriptions/55555555-5555-5555-5555-555555555555/resourceGroups/rg-dev\\\n"
            "/providers/Microsoft.Compute/virtualMachines/dev-01",
            10,
            asks=True,
        ),
        Example(
            "Those with maintenance configurations too.",
            "patchmode live-check --maintenance-group rg-dev --vm \\\n"
            "  /subscriptions/55555555-5555-5555-5555-555555555555/resourceGroups/rg-dev\\\n"
            "/providers/Microsoft.Compute/virtualMachines/dev-01",
            10,
            asks=True,
        ),
        Example(
            "Restore the VM after one that did not end.",
            "patchmode live-check --undo --vm \\\n"
            "  /subscriptions/55555555-5555-5555-5555-555555555555/resourceGroups/rg-dev\\\n"
            "/providers/Microsoft.Compute/virtualMachines/dev-01",
        ),
    ),
    "doctor": (
        Example("Every subscription that you can see.", "patchmode doctor", 10),
        Example("What an apply in one resource group would need.", "patchmode doctor -g rg-dev"),
        Example(
            "The least-privilege role, for az role definition create.",
            "patchmode doctor --role-json > role.json",
        ),
    ),
    "completion": (
        Example("Complete in every new bash.", "patchmode completion bash --install"),
        Example("Complete in every new fish.", "patchmode completion fish --install"),
        Example("For zsh: write it into a folder of its fpath.", "patchmode completion zsh > _patchmode"),
    ),
    "schema": (
        Example("What a plan file may hold.", "patchmode schema plan"),
        Example("By the format that a document names.", "patchmode schema patchmode/run/v1 > run.schema.json"),
        Example("Of what `schedule next -o json` prints.", "patchmode schema schedule-next"),
    ),
    "demo": (
        Example("Run it.", "patchmode demo", lasts=True),
        Example("Wait for Enter before each step.", "patchmode demo --step", lasts=True),
        Example("Read the whole story page by page.", "patchmode demo --full | less", lasts=True),
    ),
}
"""Command → its examples; the program itself is the empty path. Every command stands here."""
