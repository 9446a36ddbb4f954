"""A pack of evidence: whole when made, and every way of changing it is found; hostile packs are refused unread."""

import hashlib
import json
import os
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.store import plans

from patchmode.documents import published
from patchmode.documents.base import TargetRow
from patchmode.documents.verification import EvidenceFileRow, ManifestDocument, digest_of
from patchmode.errors import RefusedError, StorageError, UsageError
from patchmode.model.evidence import AfterFrom, Fault
from patchmode.model.machine import Machine, MachineKind, OperatingSystem
from patchmode.ports.azure import PatchAnswer
from patchmode.store import evidence
from patchmode.store.evidence import PackedFile, check_pack, write_pack
from patchmode.store.runs import RunStore

NOW = datetime(2030, 1, 8, 12, 0, tzinfo=UTC)
FILES = {"README.txt": b"what this is\n", "machines/1-web/before.json": b'{"a": 1}\n', "empty": b""}


def manifest_of(files: tuple[EvidenceFileRow, ...]) -> ManifestDocument:
    return ManifestDocument(
        format="patchmode/evidence/v1",
        tool_version="0.1.0",
        created_at=NOW,
        run="20300108T120000000Z-abcdef",
        state="finished",
        target=TargetRow(cloud="AzureCloud", endpoint="https://management.azure.com", tenant_id="t"),
        plan_digest="d",
        after_from=AfterFrom.PROVIDER,
        machines=(),
        files=files,
    )


def made(out: Path, files: dict[str, bytes] | None = None) -> ManifestDocument:
    members = [PackedFile(path, (content,)) for path, content in (FILES if files is None else files).items()]
    return write_pack(out, members, manifest_of, at=NOW)


def faults(path: Path, **options: str) -> list[tuple[str, str]]:
    return [(one.path, one.fault.value) for one in check_pack(path, **options).problems]


@pytest.fixture(params=["pack", "pack.zip"])
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same evidence as a folder and as a zip."""
    out = tmp_path / request.param
    made(out)
    return out


def test_a_pack_is_whole_and_says_what_it_is(pack: Path) -> None:
    """Sums of every file, as anybody can calculate them."""
    found = check_pack(pack)
    assert (found.problems, found.run, found.files) == ((), "20300108T120000000Z-abcdef", 5)
    assert faults(pack, digest=found.digest.upper()) == []
    assert faults(pack, digest="0" * 64) == [("manifest.json", "altered")]


def test_the_manifest_holds_to_its_schema_and_its_digest(tmp_path: Path) -> None:
    """And SHA256SUMS is what sha256sum reads."""
    made(tmp_path / "pack")
    document = json.loads((tmp_path / "pack/manifest.json").read_text(encoding="utf-8"))
    jsonschema.validate(document, json.loads(published.render_schemas()["evidence-v1.json"]))
    stated = document.pop("digest")
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(canonical.encode()).hexdigest() == stated
    sums = (tmp_path / "pack/SHA256SUMS").read_text(encoding="utf-8").splitlines()
    assert sums == [f"{hashlib.sha256(content).hexdigest()}  {path}" for path, content in FILES.items()]


def test_the_same_evidence_makes_the_same_zip(tmp_path: Path) -> None:
    """So that two packs can be told to be one by their bytes."""
    made(tmp_path / "one.zip")
    made(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize(("at", "shown"), [(NOW, 2030), (datetime(1970, 1, 1, tzinfo=UTC), 1980)])
def test_what_is_unpacked_from_a_zip_is_its_owners_only_and_of_one_time(
    tmp_path: Path, at: datetime, shown: int
) -> None:
    """A zip knows no time before 1980: a clock that was never set is no reason to write none."""
    out = tmp_path / "pack.zip"
    write_pack(out, [PackedFile("a", (b"1",))], manifest_of, at=at)
    with zipfile.ZipFile(out) as archive:
        found = {(entry.external_attr >> 16, entry.date_time[0]) for entry in archive.infolist()}
    assert found == {(0o100600, shown)}


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_pack_is_its_owners_only(pack: Path) -> None:
    """It holds documents of machines."""
    assert stat.S_IMODE(pack.stat().st_mode) & 0o077 == 0
    if pack.is_dir():
        assert {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in pack.rglob("*")} == {0}


def test_evidence_is_not_written_over(pack: Path) -> None:
    """Evidence that was replaced is none."""
    before = check_pack(pack)
    with pytest.raises(UsageError, match="exists"):
        made(pack)
    assert check_pack(pack) == before


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Neither a half pack nor a temporary one, whether the disk or the source fails."""

    def failing() -> bytes:
        raise StorageError("the journal is damaged.")

    for name in ("pack", "pack.zip"):
        with pytest.raises(StorageError):
            write_pack(
                tmp_path / name, (PackedFile("a", (part() for part in (failing,))) for _ in "x"), manifest_of, at=NOW
            )
        with pytest.raises(StorageError, match="No such file"):
            made(tmp_path / "no" / name)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ changes


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(bytes(content))


CHANGES: dict[str, tuple[Callable[[Path], object], list[tuple[str, str]]]] = {
    "a bit": (lambda pack: flip(pack / "README.txt"), [("README.txt", "altered")]),
    "longer": (lambda pack: (pack / "empty").write_bytes(b"x"), [("empty", "altered")]),
    "gone": (lambda pack: (pack / "empty").unlink(), [("empty", "missing")]),
    "more": (lambda pack: (pack / "machines/new").write_bytes(b""), [("machines/new", "extra")]),
    "the sums": (lambda pack: (pack / "SHA256SUMS").write_bytes(b""), [("SHA256SUMS", "altered")]),
    "renamed": (
        lambda pack: (pack / "empty").rename(pack / "other"),
        [("empty", "missing"), ("other", "extra")],
    ),
}


@pytest.mark.parametrize(("alter", "told"), CHANGES.values(), ids=CHANGES)
def test_each_change_is_named(tmp_path: Path, alter: Callable[[Path], object], told: list[tuple[str, str]]) -> None:
    """With the file that it touches and no other, in the folder and in a zip that was made anew of it."""
    made(tmp_path / "pack")
    alter(tmp_path / "pack")
    assert faults(tmp_path / "pack") == told
    repacked = tmp_path / "again.zip"
    with zipfile.ZipFile(repacked, "w") as archive:
        for path in sorted((tmp_path / "pack").rglob("*")):
            archive.write(path, path.relative_to(tmp_path / "pack"))
    assert faults(repacked) == told


@given(place=st.integers(0), bit=st.integers(0, 7))
def test_no_bit_of_a_manifest_flips_unseen(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    """Unless it says the same still (white space), a changed manifest is found out or refused."""
    pack = tmp_path_factory.mktemp("bit") / "pack"
    manifest = made(pack)
    file = pack / "manifest.json"
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(bytes(content))
    try:
        found = check_pack(pack)
    except RefusedError:
        return
    same = json.loads(bytes(content)) == {**json.loads(bytes(content)), "digest": manifest.digest}
    assert found.problems or (same and found.digest == manifest.digest)


def test_an_edited_manifest_that_was_sealed_again_is_found_by_the_digest_that_was_kept(tmp_path: Path) -> None:
    """The sums alone cannot know: whoever can write can make another pack."""
    first = made(tmp_path / "first")
    made(tmp_path / "forged", {**FILES, "README.txt": b"something else\n"})
    assert faults(tmp_path / "forged") == []
    assert faults(tmp_path / "forged", digest=str(first.digest)) == [("manifest.json", "altered")]


# ------------------------------------------------------------------------------------------------ hostile packs


@pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
def test_links_in_a_folder_are_named_and_not_followed(tmp_path: Path) -> None:
    """Also where one stands in for a file, or for a folder with the right files in it."""
    made(tmp_path / "pack")
    (tmp_path / "pack/machines").rename(tmp_path / "elsewhere")
    (tmp_path / "pack/machines").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pack/empty").unlink()
    (tmp_path / "pack/empty").symlink_to(os.devnull)
    os.mkfifo(tmp_path / "pack/pipe")
    assert faults(tmp_path / "pack") == [
        ("empty", "link"),
        ("machines", "link"),
        ("machines/1-web/before.json", "missing"),
        ("pipe", "link"),
    ]


def zipped(path: Path, *entries: tuple[str, bytes], mode: int = 0o100600) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return path


@pytest.mark.parametrize(
    "name",
    ["../up", "/etc/passwd", "a/../../up", "C:\\up", "..\\up", "a\\b", "a/./b", "a//b", "\x1b[2J", "a\nb", "é", ""],
)
def test_names_that_lead_out_of_a_zip_are_refused(tmp_path: Path, name: str) -> None:
    """Nothing is unpacked, but whoever unpacks it afterwards trusts what was said of it."""
    path = zipped(tmp_path / "x.zip", ("manifest.json", b"{}"), (name, b""))
    with pytest.raises(RefusedError, match="points outside"):
        check_pack(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_other_harmful_zips_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, names that stand twice, archives that unpack to a thousand times their size, and what is no zip."""
    link = zipped(tmp_path / "link.zip", ("manifest.json", b"/etc/passwd"), mode=0o120777)
    twice = zipped(tmp_path / "twice.zip", ("manifest.json", b"{}"), ("A", b"1"), ("a", b"2"))
    many = zipped(tmp_path / "many.zip", ("a", b""), ("b", b""), ("c", b""))
    bomb = zipped(tmp_path / "bomb.zip", ("manifest.json", bytes(101 << 20)))
    (tmp_path / "text.zip").write_bytes(b"not a zip")
    for path, told in (
        (link, "link"),
        (twice, "twice"),
        (bomb, "would unpack"),
        (tmp_path / "text.zip", "cannot be read as a zip"),
    ):
        with pytest.raises(RefusedError, match=told):
            check_pack(path)
    monkeypatch.setattr(evidence, "MAX_ENTRIES", 2)
    with pytest.raises(RefusedError, match="3 files"):
        check_pack(many)


@pytest.mark.parametrize("stated", [0, 10, 999, 1001, 100_000])
def test_a_zip_that_lies_about_sizes_is_found_out(tmp_path: Path, stated: int) -> None:
    """Its directory says one length and its data hold another: an altered file, and not a longer read."""
    path = tmp_path / "pack.zip"
    made(path, {"a": b"x" * 1000})
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    assert int.from_bytes(content[entry + 24 : entry + 28], "little") == 1000
    content[entry + 24 : entry + 28] = stated.to_bytes(4, "little")
    path.write_bytes(bytes(content))
    assert faults(path) == [("a", "altered")]


def test_damaged_data_of_a_zip_is_an_altered_file(tmp_path: Path) -> None:
    """The archive's own checksum fails before ours is calculated."""
    path = tmp_path / "pack.zip"
    made(path, {"a": bytes(range(256)) * 4})
    content = bytearray(path.read_bytes())
    # Behind the entry's head (30 bytes), its name (1) and its long sizes (20).
    content[70] ^= 0xFF
    path.write_bytes(bytes(content))
    assert faults(path) == [("a", "altered")]


@given(st.data())
def test_no_byte_of_a_zip_changes_with_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever is done to an archive, it is whole still, or a file is named, or it is refused."""
    path = tmp_path_factory.mktemp("zip") / "pack.zip"
    manifest = made(path)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))]))
    try:
        found = check_pack(path)
    except RefusedError:
        return
    assert found.problems or found.digest == manifest.digest


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "altered"),
        (b'{"format": "patchmode/evidence/v2"}', "this version reads patchmode/evidence/v1"),
        (b'{"format": "patchmode/plan/v1"}', "is patchmode/plan/v1"),
    ],
    ids=["cut short", "newer", "another document"],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    """Nothing can be said of files that nobody names."""
    with pytest.raises(RefusedError, match=told):
        check_pack(zipped(tmp_path / "x.zip", ("manifest.json", content)))


def test_what_is_no_pack_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, nothing at all, a manifest that names a file twice, or one without end."""
    with pytest.raises(RefusedError, match=r"has no manifest\.json"):
        check_pack(tmp_path)
    with pytest.raises(UsageError, match="there is no"):
        check_pack(tmp_path / "nothing")
    row = EvidenceFileRow(path="a", sha256="0" * 64, bytes=0)
    manifest = manifest_of((row, row))
    from msgspec.json import encode

    with pytest.raises(RefusedError, match="twice"):
        check_pack(zipped(tmp_path / "twice.zip", ("manifest.json", encode(manifest))))
    monkeypatch.setattr(evidence, "MAX_MANIFEST", 10)
    with pytest.raises(RefusedError, match="more than 10 bytes"):
        check_pack(tmp_path / "twice.zip")
    assert digest_of(manifest) == digest_of(manifest_of((row, row)))


def test_a_manifest_cannot_reach_out_of_its_folder(tmp_path: Path) -> None:
    """A path that leads out is a file that is missing; it is not looked for."""
    secret = b"secret"
    (tmp_path / "secret").write_bytes(secret)
    rows = (EvidenceFileRow(path="../secret", sha256=hashlib.sha256(secret).hexdigest(), bytes=len(secret)),)
    from msgspec.json import encode

    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/manifest.json").write_bytes(encode(manifest_of(rows)))
    assert ("../secret", Fault.MISSING.value) in faults(tmp_path / "pack")


async def test_a_copy_of_a_journal_has_no_signature_of_an_operation(tmp_path: Path) -> None:
    """It lets anybody who has the copy ask the operation; the journal itself needs it to follow the operation."""
    place = "https://management.azure.com/subscriptions/1/providers/Microsoft.Compute/locations/x/operations/2"
    signature = "S1GNATURE" * 400
    signed = f"{place}?p=3&api-version=2024-07-01&t=638&c=MIIH&s={signature}&h=HASH"
    journal = RunStore(tmp_path).create(plans.full_plan())
    at = datetime(2030, 1, 1, tzinfo=UTC)
    for name, address in (("vm-0", signed), ("vm-1", None)):
        target = plans.machine_id(name)
        machine = Machine(target, MachineKind.VM, "x", OperatingSystem.LINUX, None, has_os_profile=True)
        await journal.intend(target, etag=None, at=at)
        await journal.start(target, PatchAnswer(machine, address, "request", "correlation"), at=at)
    content = b"".join(journal.snapshot())
    assert signature[:9].encode() not in content
    assert b"HASH" not in content
    copies = tmp_path / "elsewhere" / "runs"
    copies.mkdir(parents=True)
    (copies / f"{journal.run}.sqlite").write_bytes(content)
    copy = RunStore(tmp_path / "elsewhere").open(journal.run)
    assert [one.operation_url for one in journal.entries()] == [signed, None]
    assert [one.operation_url for one in copy.entries()] == [f"{place}?api-version=2024-07-01", None]
    assert [one.request_id for one in copy.entries()] == ["request", "request"]
    copy.release()
    journal.release()


def test_a_journals_copy_can_be_read_by_itself(tmp_path: Path) -> None:
    """While another process writes, and where nothing else may be written."""
    writing = RunStore(tmp_path).create(plans.full_plan())
    reading = RunStore(tmp_path).open(writing.run)
    (tmp_path / "alone").mkdir()
    copy = tmp_path / "alone/journal.sqlite"
    copy.write_bytes(b"".join(reading.snapshot()))
    connection = sqlite3.connect(f"{copy.as_uri()}?mode=ro&immutable=1", uri=True)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert dict(connection.execute("SELECT name, value FROM about"))["changes"] == "2"
    connection.close()
    reading.release()
    writing.release()
