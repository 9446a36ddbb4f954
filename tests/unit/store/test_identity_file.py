"""The identity file: what it may say, and every way in which it can be wrong; a secret is never repeated."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from patchmode.documents import published
from patchmode.errors import UsageError
from patchmode.model.access import (
    CertificateFile,
    FederatedTokenFile,
    ManagedIdentity,
    Proof,
    SecretFile,
    SecretVariable,
    by_tenant,
)
from patchmode.store.identity_file import read_identities

TENANT, OTHER_TENANT = "11111111-1111-1111-1111-111111111111", "99999999-1111-1111-1111-111111111111"
CLIENT, OTHER_CLIENT = "33333333-0000-0000-0000-00000000000a", "33333333-0000-0000-0000-00000000000b"


def row(**members: Any) -> dict[str, Any]:
    """An identity; None leaves a member out."""
    made = {"name": "blue", "tenantId": TENANT, "clientId": CLIENT, "clientSecretEnv": "BLUE_SECRET", **members}
    return {name: value for name, value in made.items() if value is not None}


def document(*rows: Any, **members: Any) -> dict[str, Any]:
    return {"format": "patchmode/identities/v1", "identities": list(rows), **members}


def written(folder: Path, content: Any) -> Path:
    path = folder / "identities.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


SCHEMA = json.loads((published.FOLDER / "identities-v1.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("members", "proof"),
    [
        ({}, SecretVariable("BLUE_SECRET")),
        ({"clientSecretEnv": None, "clientSecretFile": "blue.secret"}, SecretFile(Path("FOLDER/blue.secret"))),
        ({"clientSecretEnv": None, "clientSecretFile": "/run/blue"}, SecretFile(Path("/run/blue"))),
        ({"clientSecretEnv": None, "certificateFile": "b.pem"}, CertificateFile(Path("FOLDER/b.pem"))),
        (
            {"clientSecretEnv": None, "certificateFile": "b.pfx", "certificatePasswordEnv": "PASS"},
            CertificateFile(Path("FOLDER/b.pfx"), "PASS"),
        ),
        ({"clientSecretEnv": None, "federatedTokenFile": "token"}, FederatedTokenFile(Path("FOLDER/token"))),
        ({"clientSecretEnv": None, "managedIdentity": True}, ManagedIdentity()),
        ({"clientSecretEnv": None, "managedIdentity": True, "clientId": None}, ManagedIdentity()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_way_to_sign_in(tmp_path: Path, members: dict[str, Any], proof: Proof) -> None:
    """Files are relative to the identity file, wherever the program is started; the schema agrees."""
    content = document(row(**members))
    jsonschema.validate(content, SCHEMA)
    (found,) = read_identities(written(tmp_path, content))
    assert repr(found.proof).replace(str(tmp_path), "FOLDER") == repr(proof)


def test_the_order_of_the_file_is_kept(tmp_path: Path) -> None:
    content = document(row(), row(name="green", clientId=OTHER_CLIENT, tenantId=TENANT.upper()))
    assert [(one.name, one.client_id) for one in read_identities(written(tmp_path, content))] == [
        ("blue", CLIENT),
        ("green", OTHER_CLIENT),
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is not JSON"),
        (b"identities: []", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        ([], "no member format: patchmode/identities/v1"),
        ({"identities": [row()]}, "no member format: patchmode/identities/v1"),
        (document(row(), format="patchmode/plan/v1"), "no member format: patchmode/identities/v1"),
        (document(row(), format="patchmode/identities/v2"), "has the format patchmode/identities/v2, and this version"),
        (document(), "length >= 1"),
        (document(row(), further=1), "unknown field `further`"),
        (document(row(clientSecretId="x")), "unknown field `clientSecretId`"),
        (document("blue"), "Expected `object`"),
        (document(row(name=None)), "missing required field `name`"),
        (document(row(name="")), "`$.identities[0].name`"),
        (document(row(name="a\nb")), "`$.identities[0].name`"),
        (document(row(tenantId="contoso")), "`$.identities[0].tenantId`"),
        (document(row(clientId="app")), "`$.identities[0].clientId`"),
        (document(row(clientId=None)), "identity 'blue' has no clientId"),
        (document(row(clientSecretEnv="")), "`$.identities[0].clientSecretEnv`"),
        (document(row(clientSecretEnv=None)), "does not say how it signs in; give exactly one of clientSecretFile,"),
        (document(row(clientSecretEnv=None, managedIdentity=False)), "does not say how it signs in"),
        (document(row(clientSecretFile="x")), "has clientSecretFile and clientSecretEnv; give exactly one"),
        (document(row(managedIdentity=True)), "has clientSecretEnv and managedIdentity; give exactly one"),
        (document(row(certificatePasswordEnv="P")), "has certificatePasswordEnv without certificateFile"),
        (document(row(), row(clientId=OTHER_CLIENT)), "two identities are called 'blue'"),
        (document(row(), row(name="Blue", clientId=OTHER_CLIENT)), "two identities are called 'Blue'"),
        (document(row(), row(name="green", clientId=CLIENT.upper())), "'blue' and 'green' are the same application"),
    ],
)
def test_wrong_files(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_identities(written(tmp_path, content))
    assert told in caught.value.message
    assert "identities.json" in caught.value.message
    assert caught.value.advice


def test_a_file_may_name_several_tenants(tmp_path: Path) -> None:
    """One application may be in several: it is another principal in each, with limits of its own."""
    content = document(row(), row(name="green", tenantId=OTHER_TENANT), row(name="red", clientId=OTHER_CLIENT))
    found = by_tenant(read_identities(written(tmp_path, content)))
    assert {tenant: [one.name for one in those] for tenant, those in found.items()} == {
        TENANT: ["blue", "red"],
        OTHER_TENANT: ["green"],
    }


@pytest.mark.parametrize("member", ["clientSecret", "ClientSecret", "secret", "password", "certificatePassword"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, member: str) -> None:
    """The file may lie in a repository; what must not, is told where to put it, before anything else is found wrong."""
    content = document(row(), {member: "hunter2-hunter2", "name": 7})
    with pytest.raises(UsageError) as caught:
        read_identities(written(tmp_path, content))
    assert f"identity 2 has a member {member}, and no secret may be in this file" in caught.value.message
    assert "clientSecretFile" in caught.value.advice
    assert "hunter2" not in str(caught.value) + caught.value.advice


@pytest.mark.parametrize(("name", "told"), [("nowhere.json", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_identities(tmp_path / name)
