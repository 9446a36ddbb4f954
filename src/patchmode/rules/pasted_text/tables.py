"""Lists and tables of machines: exports of the portal and of Resource Graph, tables that az prints, bare names."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from patchmode.model.scope import LoggedError
from patchmode.rules.pasted_text.commands import ARC, PLAIN_NAME, VM, is_name, named
from patchmode.rules.pasted_text.text import Finder, Findings, Mention, error_in, is_failure, is_success

_WORDS = {
    "id": "id resourceid ids machineid vmresourceid ressourcenid iddelaressource",
    "name": "name vmname vm machinename machine computername computer virtualmachine virtualmachinename resourcename "
    "server servername hostname host "
    "computername maschinenname ressourcenname virtuellercomputer nom nomdelamachine nomdelordinateur machinevirtuelle "
    "nombre nombredelamáquina nombredelequipo máquinavirtual nome nomedamáquina nomedocomputador nomecomputer "
    "macchinavirtuale naam computernaam computernaam machinenaam nazwa nazwakomputera nazwamaszyny maszynawirtualna "
    "název názevpočítače virtuálnípočítač namn datornamn virtuelldator navn computernavn nimi név számítógépneve "
    "virtuálisgép ad bilgisayaradı sanalmakine имя имякомпьютера виртуальнаямашина название 名前 コンピューター名 "
    "マシン名 仮想マシン 名称 名稱 计算机名称 计算机名 电脑名称 電腦名稱 "
    "機器名稱 虚拟机 虛擬機器 이름 컴퓨터이름 가상머신",
    "group": "resourcegroup resourcegroupname group rg ressourcengruppe groupederessources grupoderecursos "
    "gruppodirisorse resourcegroep grupazasobów skupinaprostředků resursgrupp ressourcegruppe ressursgruppe "
    "resurssiryhmä erőforráscsoport kaynakgrubu группаресурсов リソースグループ 资源组 資源群組 리소스그룹",
    "subscription": "subscriptionid subscription subscriptionname subscriptiondisplayname abonnementid abonnementsid "
    "abonnement suscripción idsuscripción iddesuscripción sottoscrizione idsottoscrizione assinatura iddaassinatura "
    "subscrição subskrypcja předplatné prenumeration tilaus előfizetés abonelik подписка サブスクリプション 订阅 "
    "訂用帳戶 訂閱 구독",
    "type": "type resourcetype typ ressourcentyp typederessource tipo tipoderecurso tipodirisorsa 种类 类型 資源類型 "
    "資源类型 類型 種類 リソースの種類 유형 리소스유형 тип типресурса tür kaynaktürü típus",
    "status": "status operationstatus updateoperationstatus installationstatus state result provisioningstate "
    "vorgangsstatus statut étatdelopération estado estadodelaoperación stato statodelloperazione statusdaoperação stan "
    "stav állapot durum состояние статус 状態 操作の状態 状态 操作状态 狀態 상태 작업상태",
    "code": "errorcode code fehlercode codederreur códigodeerror codiceerrore códigodeerro foutcode kodbłędu kódchyby "
    "felkod エラーコード 错误代码 錯誤碼 오류코드 кодошибки",
}
_ROLES = {word: role for role, words in _WORDS.items() for word in words.split()}
"""What a column holds, by its heading without blanks and marks. The portal's are in its user's language; no document
lists them, so the languages that the portal offers were written down, and a heading that is not here is passed over."""
_DELIMITERS = ",;\t|"
_RULE = re.compile(r"^[ \t]*-{2,}(?:[ \t]+-{2,})*[ \t]*$", re.MULTILINE)
_COLUMN = re.compile(r"(?<!\S)(?<!\S )\S+(?: \S+)*")
_DASHES = re.compile(r"-+")
_TOKEN = re.compile(rf"(?:[\w.()-]{{1,90}}/)?{PLAIN_NAME}")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,5}[.)])\s+")
_MACHINE_WORDS = (
    "virtual machine", "arc", "virtueller computer", "machine virtuelle", "máquina virtual", "macchina virtuale",
    "virtuele machine", "maszyna wirtualna", "virtuální počítač", "virtuell dator", "virtuell maskin",
    "virtuaalikone", "virtuális gép", "sanal makine", "виртуальная машина", "仮想マシン", "虚拟机", "虛擬機器",
    "가상 머신",
)  # fmt: skip
_SHOWN = 60
_LOOKED_AT = 20
"""Lines that are looked at to tell whether a text is a table."""


@dataclass(frozen=True, slots=True)
class Block:
    """A table inside a text."""

    start: int
    end: int
    rows: tuple[Mapping[str, str], ...]
    """Role of the column → cell."""


def read_table(text: str, find: Finder) -> Findings | None:
    """The machines of a text that is a table with headings and separated columns.

    Args:
        text: plain; commas, semicolons, tabs or bars separate the columns.
        find: the machines that a cell names by id.

    Returns:
        None: it is no such table.
    """
    body = text.lstrip("\n")
    if body.lower().startswith("sep="):  # how Excel is told the separator
        body = body.partition("\n")[2]
    first = body.partition("\n")[0]
    for delimiter in sorted(_DELIMITERS, key=first.count, reverse=True):
        try:
            roles = _roles(next(csv.reader([first], delimiter=delimiter), []))
            if not _is_heading(roles):
                continue
            rows = list(csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True))
        except csv.Error:
            continue
        told = [(number, _row(roles, cells)) for number, cells in enumerate(rows[1:], 2) if "".join(cells).strip(" -:")]
        return of_rows(((f"row {number}", row) for number, row in told), find)
    return None


def ruled_tables(text: str) -> Iterator[Block]:
    """Tables whose headings are underlined with hyphens, as az and PowerShell print them.

    Args:
        text: plain, any length; the work is linear in it.
    """
    for match in _RULE.finditer(text):
        above = text.rfind("\n", 0, max(match.start() - 1, 0)) + 1
        if not match.start():
            continue
        starts = [part.start() for part in _DASHES.finditer(match[0])]
        spans = list(zip(starts, [*starts[1:], None], strict=True))
        roles = _roles([text[above : match.start() - 1][start:end] for start, end in spans])
        if not _is_heading(roles):
            continue
        end = text.find("\n\n", match.end())
        end = len(text) if end < 0 else end
        lines = text[match.end() : end].strip("\n").split("\n")
        rows = [_row(roles, [line[start:until].strip() for start, until in spans]) for line in lines if line.strip()]
        yield Block(above, end, tuple(rows))


def spaced_tables(text: str) -> Iterator[Block]:
    """Tables whose columns are two blanks or more apart, as patchmode prints them: a row in its headings' columns.

    Args:
        text: plain, any length; the work is linear in it.
    """
    lines, at = text.split("\n"), 0
    spans: list[tuple[int, int | None]] = []
    roles: list[str] = []
    start = 0
    rows: list[Mapping[str, str]] = []
    for line in (*lines, ""):
        if spans and line.strip():
            rows.append(_row(roles, [line[begin:until].strip() for begin, until in spans]))
        elif spans:
            yield Block(start, at, tuple(rows))
            spans, rows = [], []
        elif "  " in line:
            starts = [match.start() for match in _COLUMN.finditer(line)]
            spans = list(zip(starts, [*starts[1:], None], strict=False))
            roles = _roles([line[begin:until] for begin, until in spans])
            spans = spans if _is_heading(roles) and len(spans) > 1 else []
            start = at
        at += len(line) + 1


def read_names(text: str) -> Findings | None:
    """The machines of a text that is a list of names or `group/name`, each on a line or behind a comma.

    Returns:
        None: it is no such list: on some line stands more than one word without a comma, or an id.
    """
    entries = _array_of_texts(text) if text.lstrip().startswith("[") else _words(text)
    if not entries or not all(map(_TOKEN.fullmatch, entries)):
        return None
    found = Findings()
    for entry in entries:
        group, _, name = entry.rpartition("/")
        found.mentions.append(Mention(0, 0, named(name, group, "")))
    return found


def _array_of_texts(text: str) -> list[str]:
    """What `az vm list --query '[].name' -o json` prints; empty: it is something else."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return values if isinstance(values, list) and all(isinstance(value, str) for value in values) else []


def _words(text: str) -> list[str]:
    """The words of lines with one word each, or words between commas; empty: it is something else."""
    entries: list[str] = []
    widths: list[int] = []
    for line in text.split("\n"):
        stripped = _BULLET.sub("", line).strip()
        if not stripped or stripped.startswith("#"):
            continue
        parts = [part.strip(" \t\"'`") for part in re.split(r"[,;]", stripped)]
        if not all(_TOKEN.fullmatch(part) for part in parts if part):
            return []
        entries += filter(None, parts)
        widths.append(len(parts))
    # A table whose headings are not known: which column holds the names would be a guess.
    is_table = len(widths) > 1 and min(widths) > 1 and len(set(widths)) == 1
    return [] if is_table else entries


def unknown_headings(text: str) -> tuple[str, ...]:
    """The first line of what looks like a table whose headings are not known, for the message; empty: it is none.

    Which of its columns holds the names would be a guess.
    """
    lines = [line for line in text.split("\n", _LOOKED_AT)[:_LOOKED_AT] if line.strip()]
    for delimiter in _DELIMITERS:
        widths = {line.count(delimiter) for line in lines}
        if len(lines) > 1 and len(widths) == 1 and widths != {0}:
            return tuple(part.strip(' "') for part in lines[0].split(delimiter))
    return ()


def of_rows(rows: Iterable[tuple[str, Mapping[str, str]]], find: Finder) -> Findings:
    """The machines of rows.

    Args:
        rows: what to call each, and its cells by role.
        find: the machines that a cell names by id.
    """
    found = Findings()
    told = list(rows)
    kinds = [_kind(row) for _, row in told]
    is_known = any(kinds)
    for (place, row), kind in zip(told, kinds, strict=True):
        whole = row.get("", "")
        machines = list(find(whole)) if "subscription" in whole.lower() else []
        name = row.get("name", "").strip()
        if kind is None or (not kind and is_known):
            if not machines:
                found.not_understood.append(f"{place}: {whole[:_SHOWN]!r} is a {row.get('type', '')}")
                continue
        elif not machines and name.endswith(("…", "...")):
            found.cut_short.append(name.rstrip(".…"))
            continue
        elif not machines and is_name(name):
            group, subscription = row.get("group", "").strip(), row.get("subscription", "").strip()
            machines = [Mention(0, 0, named(name, group, subscription, kind if kind in {VM, ARC} else ""))]
        if not machines:
            found.not_understood.append(f"{place}: {whole[:_SHOWN]!r}")
            continue
        found.mentions += machines
        _take_end(found, machines, row, whole)
    return found


def _take_end(found: Findings, machines: Sequence[Mention], row: Mapping[str, str], whole: str) -> None:
    """What a row tells of how its machine fared."""
    code, status = row.get("code", "").strip(), row.get("status", "").strip()
    error = error_in(whole)
    if code.isidentifier() and not is_success(code) and (error is None or not error.code):
        error = LoggedError(code) if error is None else replace(error, code=code)
    if error is None and is_failure(status):
        error = LoggedError("", status)
    for machine in machines:
        if error is not None:
            known = found.told.get(machine.id)
            if known is None or (error.is_prerequisite and not known.is_prerequisite):
                found.told[machine.id] = error
        elif is_success(status):
            found.succeeded.add(machine.id)


def _kind(row: Mapping[str, str]) -> str | None:
    """The resource type of a row: of a machine; empty: not said, or in words that are not known; None: another's."""
    told = row.get("type", "").strip().casefold()
    if "/" in told:
        return next((kind for kind in (VM, ARC) if kind.casefold() == told), None)
    if any(word in told for word in _MACHINE_WORDS):
        return None if "scale set" in told or "skalierung" in told else told
    return ""


def heading(text: str) -> str:
    """The role of a heading; empty: none that is known."""
    kept = unicodedata.normalize("NFKC", text).casefold()
    return _ROLES.get("".join(letter for letter in kept if letter.isalnum()), "")


def _roles(headings: Sequence[str]) -> list[str]:
    """The role of each column; a role that two columns would have goes to the first, a subscription's to its id."""
    roles = [heading(text) for text in headings]
    return [role if role and roles.index(role) == number else "" for number, role in enumerate(roles)]


def _is_heading(roles: Sequence[str]) -> bool:
    return "id" in roles or ("name" in roles and (len(roles) == 1 or any(roles.count(role) for role in _BESIDE)))


_BESIDE = ("group", "subscription", "type", "status", "code")
"""One of these beside a name makes a line the headings of a table."""


def _row(roles: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    row = {role: cell for role, cell in zip(roles, cells, strict=False) if role}
    return {**row, "": " ".join(cells)}
