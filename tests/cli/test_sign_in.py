"""Every way to sign in, through the program; and what is said where a certificate, token or identity does not fit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests import proofs
from tests.cli.conftest import Done, Program, Start

from arm_emulator.directory import FederatedCredential
from arm_emulator.faults import Action, FaultPlan, Matcher, Respond, Rule

CREDENTIAL = FederatedCredential(proofs.ISSUER, proofs.SUBJECT, (proofs.AUDIENCE,), (proofs.public_key(2, "k"),))
SIGNED_IN = "Signed in as    arm-emulator operator (object id 44444444-4444-4444-4444-444444444444)\n"


def started(start: Start, **given: Any) -> Program:
    """The program in an environment with tenant and application and no secret, and what is registered for it."""
    program = start("small")
    program.served.emulator.directory.give_default(**given)  # type: ignore[attr-defined]
    for name in ("AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST"):
        del program.environment[name]
    return program


def files(folder: Path) -> Mapping[str, Path]:
    """Certificates and tokens of every kind that somebody may name."""
    contents = {
        "client.pem": proofs.pem(1),
        "locked.pem": proofs.pem(1, "open"),
        "locked.pfx": proofs.pfx(1, "open"),
        "other.pem": proofs.pem(3),
        "old.pem": proofs.pem(4, days_left=-1),
        "text.pem": b"hello\n",
        "token": proofs.federated_token(2).encode(),
        "casing": proofs.federated_token(2, sub=proofs.SUBJECT.upper()).encode(),
        "audience": proofs.federated_token(2, aud="api://AzureADTokenExchangeUSGov").encode(),
        "branch": proofs.federated_token(2, sub="repo:contoso/patching:ref:refs/heads/main").encode(),
        "over": proofs.federated_token(2, nbf=0, exp=3600).encode(),
        "key": proofs.federated_token(2, kid="rotated").encode(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


def placed(variables: Mapping[str, str], program: Program) -> dict[str, str]:
    """The variables with the places of this test in them."""
    return {name: text.replace("ENDPOINT", program.endpoint) for name, text in variables.items()}


@pytest.mark.parametrize(
    "variables",
    [
        {"AZURE_CLIENT_CERTIFICATE_PATH": "client.pem"},
        {"AZURE_CLIENT_CERTIFICATE_PATH": "locked.pem", "AZURE_CLIENT_CERTIFICATE_PASSWORD": "open"},
        {"AZURE_CLIENT_CERTIFICATE_PATH": "locked.pfx", "AZURE_CLIENT_CERTIFICATE_PASSWORD": "open"},
        {"AZURE_FEDERATED_TOKEN_FILE": "token"},
        # What a pod's webhook sets is of the public cloud; the cloud of the command decides.
        {"AZURE_FEDERATED_TOKEN_FILE": "token", "AZURE_AUTHORITY_HOST": "https://localhost:9"},
    ],
)
def test_a_certificate_or_a_federated_token_of_the_environment(start: Start, variables: dict[str, str]) -> None:
    """Without a secret, in the cloud that the command names."""
    program = started(start, certificates=(proofs.registered(1),), federated=(CREDENTIAL,))
    files(program.folder)
    done = program("doctor", **variables)
    assert done.code == 0, done.err
    assert SIGNED_IN in done.out


@pytest.mark.parametrize(
    "variables",
    [
        {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "ENDPOINT"},
        {"IDENTITY_ENDPOINT": "ENDPOINT/msi/token", "IDENTITY_HEADER": "not-a-secret-header"},
    ],
    ids=["virtual machine", "App Service and Container Apps"],
)
@pytest.mark.parametrize("kind", ["system", "user"])
def test_a_managed_identity(start: Start, variables: dict[str, str], kind: str) -> None:
    """The system-assigned one without AZURE_CLIENT_ID, a user-assigned one with it; the tenant is the token's."""
    program = started(start, managed=kind)
    del program.environment["AZURE_TENANT_ID"]
    if kind == "system":
        del program.environment["AZURE_CLIENT_ID"]
    done = program("doctor", **placed(variables, program))
    assert done.code == 0, done.err
    assert SIGNED_IN in done.out
    assert "Tenant          11111111-1111-1111-1111-111111111111\n" in done.out


NOT_READ = "AZURE_CLIENT_CERTIFICATE_PATH names 'FILE', which cannot be used to sign in: "
MISTAKES: list[tuple[str, dict[str, str], str, str]] = [
    ("a certificate that is not there", {"AZURE_CLIENT_CERTIFICATE_PATH": "none.pem"},
     NOT_READ.replace("FILE", "none.pem") + "could not be read: No such file or directory",
     "Name a PEM or PKCS12 file that holds the certificate and its RSA key"),
    ("no certificate", {"AZURE_CLIENT_CERTIFICATE_PATH": "text.pem"}, NOT_READ.replace("FILE", "text.pem"),
     "Name a PEM or PKCS12 file that holds the certificate and its RSA key"),
    ("no password", {"AZURE_CLIENT_CERTIFICATE_PATH": "locked.pem"},
     NOT_READ.replace("FILE", "locked.pem") + "password was not given but private key is encrypted",
     "set AZURE_CLIENT_CERTIFICATE_PASSWORD"),
    ("a wrong password", {"AZURE_CLIENT_CERTIFICATE_PATH": "locked.pfx", "AZURE_CLIENT_CERTIFICATE_PASSWORD": "no"},
     NOT_READ.replace("FILE", "locked.pfx"), "set AZURE_CLIENT_CERTIFICATE_PASSWORD"),
    ("a certificate that is not registered", {"AZURE_CLIENT_CERTIFICATE_PATH": "other.pem"}, "AADSTS700027",
     'openssl x509 -in "$AZURE_CLIENT_CERTIFICATE_PATH" -noout -fingerprint -sha256'),
    ("a chain", {"AZURE_CLIENT_CERTIFICATE_PATH": "other.pem", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN": "1"},
     "AADSTS700027", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN has no effect here"),
    ("a certificate that is over", {"AZURE_CLIENT_CERTIFICATE_PATH": "old.pem"}, "is expired on application",
     "The certificate has expired. Register a new one"),
    ("a token that is not there", {"AZURE_FEDERATED_TOKEN_FILE": "none"}, "No such file or directory: 'none'",
     "The file that AZURE_FEDERATED_TOKEN_FILE names cannot be read."),
    ("another subject", {"AZURE_FEDERATED_TOKEN_FILE": "branch"},
     "presented assertion subject 'repo:contoso/patching:ref:refs/heads/main'",
     'az ad app federated-credential list --id "$AZURE_CLIENT_ID"'),
    ("another casing", {"AZURE_FEDERATED_TOKEN_FILE": "casing"}, "AADSTS7002138", "differ in their casing"),
    ("another audience", {"AZURE_FEDERATED_TOKEN_FILE": "audience"}, "AADSTS700212",
     "api://AzureADTokenExchangeUSGov in AzureUSGovernment"),
    ("a token that is over", {"AZURE_FEDERATED_TOKEN_FILE": "over"}, "AADSTS700024", "Check this computer's clock"),
    ("a rotated key", {"AZURE_FEDERATED_TOKEN_FILE": "key"}, "AADSTS7000272", "/.well-known/openid-configuration"),
    ("a machine without an identity", {"AZURE_POD_IDENTITY_AUTHORITY_HOST": "ENDPOINT"}, "Identity not found",
     "This computer has no such managed identity. AZURE_CLIENT_ID, where it is set, must be the client id"),
    ("an app without one", {"IDENTITY_ENDPOINT": "ENDPOINT/msi/token", "IDENTITY_HEADER": "not-a-secret-header"},
     "No User Assigned or Delegated Managed Identity found", "The app has no such managed identity."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "words", "advice"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_each_mistake_is_told_with_its_cause_and_the_next_step(
    start: Start, variables: dict[str, str], words: str, advice: str
) -> None:
    """One message, on standard error, exit code 1; azure-identity's headings and its own pages are left out."""
    known = (proofs.registered(1), proofs.registered(4, days_left=-1))
    program = started(start, certificates=known, federated=(CREDENTIAL,))
    files(program.folder)
    done: Done = program("audit", "--all", **placed(variables, program))
    assert (done.code, done.out) == (1, "")
    said, _, to_do = done.err.partition("\n  What to do: ")
    assert words in said
    assert advice in to_do
    for left_out in ("aka.ms", "ChainedTokenCredential", "DefaultAzureCredential", "Code: None"):
        assert left_out not in done.err


def test_who_is_not_signed_in_in_a_sovereign_cloud_is_sent_to_that_cloud(offline: Program) -> None:
    """`az login` alone signs in to the cloud that az has, which is the public one."""
    said = {
        name: offline("--cloud", name, "doctor", AZURE_TOKEN_CREDENTIALS="EnvironmentCredential").err
        for name in ("AzureCloud", "AzureUSGovernment", "AzureChinaCloud")
    }
    variables = "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
    assert {name: text.rpartition("What to do: ")[2].strip() for name, text in said.items()} == {
        "AzureCloud": f"Sign in with az login, or {variables}.",
        "AzureUSGovernment": f"Sign in in az, or {variables}:\naz cloud set --name AzureUSGovernment && az login",
        "AzureChinaCloud": f"Sign in in az, or {variables}:\naz cloud set --name AzureChinaCloud && az login",
    }


def test_a_sign_in_that_ends_in_the_middle_of_a_run(start: Start) -> None:
    """The token of a pipeline is over when Resource Manager's is: the run stops, is told so, and is continued later."""
    over = {"error": "invalid_client", "error_description": "AADSTS700024: Client assertion is not within its time."}
    again = Rule(
        do=Action(respond=Respond(401, json=over)), match=Matcher(path="*/oauth2/v2.0/token"), nth=list(range(4, 13))
    )
    ends = Rule(do=Action(expire_tokens=True), match=Matcher(method="PATCH"), nth=2)
    program = start("small", faults=FaultPlan(rules=[again, ends]))
    assert program("plan", "--all", "--out", "plan.json").code == 10
    stopped = program("apply", "plan.json", "--yes", "--concurrency", "1")
    assert stopped.code == 1
    assert "AADSTS700024" in stopped.err
    assert "Continue with: patchmode runs resume RUN\n" in stopped.err
    # Somebody signs in again.
    program.served.emulator.faults.arm(FaultPlan())  # type: ignore[attr-defined]
    done = program("runs", "resume", "latest", "--yes")
    assert done.code == 0, done.err
    assert "AADSTS" not in done.err
