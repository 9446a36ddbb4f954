"""The dashboard and the alert rules: every metric of ours is on it, every name and label in it is one of ours.

Judges: grafana-foundation-sdk (Grafana's own types of a dashboard), promql-parser, and promtool of Prometheus, which
evaluates each expression over what `report -o prometheus` writes, where it is installed.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families
from tests.docs.pages import ROOT, read
from tests.unit.reports.records import measured_audit, run_of

from patchmode.reports.formats.registry import pieces

BOARD = ROOT / "deploy/grafana-dashboard.json"
RULES = ROOT / "deploy/prometheus-alerts.yaml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="the judge is absent: install prometheus (promtool)")
OF_THE_SCRAPE = {"instance", "job"}
LEFT_OUT: frozenset[str] = frozenset()
"""Metrics that are on no panel, each with why; none."""


def exposition() -> str:
    """What the textfile collector reads: an audit and a run, in which every metric has a sample."""
    records = (measured_audit(), run_of())
    return b"".join(b"".join(pieces(record, "prometheus")) for record in records).decode()


def samples() -> dict[str, list[Mapping[str, str]]]:
    """Metric → the labels of its samples."""
    families = text_string_to_metric_families(exposition())
    return {one.name: [sample.labels for sample in one.samples] for one in families}


def board() -> Any:
    return json.loads(read(BOARD))


def panel_expressions() -> list[tuple[str, str]]:
    return [
        (f"{panel['title']} {target['refId']}", target["expr"])
        for panel in board()["panels"]
        for target in panel.get("targets", ())
    ]


def alerts() -> list[Any]:
    (group,) = yaml.safe_load(read(RULES))["groups"]
    found: list[Any] = group["rules"]
    return found


def expressions() -> list[tuple[str, str]]:
    return [*panel_expressions(), *((one["alert"], one["expr"]) for one in alerts())]


def walked(node: Any) -> Iterator[Any]:
    """A node of an expression and all below it."""
    if isinstance(node, list):
        for one in node:
            yield from walked(one)
    elif node is not None:
        yield node
        for name in ("lhs", "rhs", "expr", "args", "vector_selector"):
            yield from walked(getattr(node, name, None))


def selectors(expression: str) -> Iterator[Any]:
    return (node for node in walked(promql_parser.parse(expression)) if isinstance(node, promql_parser.VectorSelector))


def test_every_metric_of_ours_is_on_a_panel_and_in_the_reference() -> None:
    written = set(samples())
    in_source = {
        name
        for path in (ROOT / "src/patchmode/reports/formats").glob("*.py")
        for name in re.findall(r'"(patchmode_(?:audit|run)_\w+)"', read(path))
    }
    assert in_source == written, "a metric that the sample record does not have cannot be tried here"
    shown = {one.name for _, text in panel_expressions() for one in selectors(text)}
    assert shown == written - LEFT_OUT
    assert not [name for name in written if f"`{name}`" not in read(ROOT / "docs/reference/reports.md")]


@pytest.mark.parametrize(("place", "text"), expressions(), ids=[place for place, _ in expressions()])
def test_every_name_and_label_is_one_of_ours(place: str, text: str) -> None:
    """Prometheus answers a misspelled name or value with nothing, and nobody is told."""
    known = samples()
    labels: set[str] = set()
    for one in selectors(text):
        assert one.name in known, place
        labels |= {name for entry in known[one.name] for name in entry}
        for matcher in one.matchers.matchers:
            if matcher.name in OF_THE_SCRAPE:
                continue
            values = {entry.get(matcher.name) for entry in known[one.name]}
            wanted = matcher.value.split("|")
            assert set(wanted) <= values, (place, matcher.name)
    for node in walked(promql_parser.parse(text)):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            assert set(node.modifier.labels) <= labels, place


def lost(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    """What of a document its judge did not keep."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name, value in ours.items():
            if name in theirs:
                yield from lost(value, theirs[name], f"{place}/{name}")
            else:
                yield f"{place}/{name}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{place}/{at}")
    elif ours != theirs:
        yield place


def judged(document: Any) -> list[str]:
    register_default_plugins()
    return list(lost(document, json.loads(JSONEncoder().encode(Dashboard.from_json(document)))))


def test_grafana_knows_every_member() -> None:
    """By its own types: what they do not know is dropped in reading, as Grafana drops it."""
    assert judged(board()) == []
    wrong = board()
    wrong["panels"][1]["gridPoss"] = {}
    assert judged(wrong) == ["/panels/1/gridPoss"]


def test_panels_have_their_place_and_say_what_they_show() -> None:
    panels = board()["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for one in panels:
        at = one["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not taken & cells, one["title"]
        taken |= cells
        assert one["type"] == "row" or one["description"].endswith("."), one["title"]


def series(instance: str = "host:9100") -> list[dict[str, str]]:
    """The exposition as promtool's input: each sample once a minute for two hours."""
    found = []
    for family in text_string_to_metric_families(exposition()):
        for sample in family.samples:
            labels = {**sample.labels, "instance": instance, "job": "node"}
            told = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
            found.append({"series": f"{sample.name}{{{told}}}", "values": f"{sample.value:g}+0x120"})
    return found


def promtool(folder: Path, *words: str, **document: Any) -> None:
    shutil.copy(RULES, folder / "rules.yaml")
    (folder / "test.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *words], capture_output=True, text=True, cwd=folder, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_every_panel_shows_something(tmp_path: Path) -> None:
    """Each expression over what we write, by Prometheus itself."""
    asked = [(place, text.replace("$instance", "host:9100")) for place, text in panel_expressions()]
    tests = [
        {"expr": f"count({text}) > bool 0", "eval_time": "1h", "exp_samples": [{"labels": "{}", "value": 1}]}
        for _, text in asked
    ]
    document = {"tests": [{"interval": "1m", "input_series": series(), "promql_expr_test": tests}]}
    promtool(tmp_path, "test", "rules", "test.yaml", rule_files=["rules.yaml"], **document)


FIRED: Mapping[str, tuple[str, str, str]] = {
    "PatchmodeMachinesWillFail": ('patchmode_audit_readiness_machines{readiness="will-fail"}', "0x60 4x60", "0x120"),
    "PatchmodeRebootedByAzure": ("patchmode_audit_rebooted_by_azure_machines", "0x60 4x60", "0x120"),
    "PatchmodePatchedByNobody": ("patchmode_audit_patched_by_nobody_machines", "0x60 4x60", "0x120"),
    "PatchmodeDrift": ("patchmode_audit_finding_machines", "5x60 9x60", "9x60 5x60"),
    "PatchmodeAuditIsIncomplete": ("patchmode_audit_unreadable", "0x60 4x60", "0x120"),
    "PatchmodeAuditIsTooOld": ("patchmode_audit_timestamp_seconds", "-90000x120", "-86400x120"),
    "PatchmodeAuditIsAbsent": ("unrelated", "1x120", ""),
    "PatchmodeRunNotFinished": ('patchmode_run_state{state="stopped"}', "0x60 1x60", "0x120"),
    "PatchmodeRunHasFailures": ('patchmode_run_machines{result="unknown"}', "0x60 4x60", "0x120"),
}
"""Alert → a series, its values with which it fires after two hours, and those with which it does not."""


@needs_promtool
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    promtool(tmp_path, "check", "rules", "rules.yaml")
    tests = []
    for rule in alerts():
        name, bad, good = FIRED[rule["alert"]]
        age = "patchmode_audit_timestamp_seconds"
        others = [] if name in {age, "unrelated"} else [{"series": age, "values": "0x120"}]
        for values, count in ((bad, 1), (good, 0)):
            input_series = [{"series": name, "values": values}] if values else [{"series": age, "values": "0x120"}]
            test = {
                "expr": f'count(ALERTS{{alertname="{rule["alert"]}", alertstate="firing"}}) or vector(0)',
                "eval_time": "119m",
                "exp_samples": [{"labels": "{}", "value": count}],
            }
            tests.append({"interval": "1m", "input_series": [*input_series, *others], "promql_expr_test": [test]})
    promtool(tmp_path, "test", "rules", "test.yaml", rule_files=["rules.yaml"], tests=tests)


def test_every_alert_is_tried_and_says_what_to_do() -> None:
    assert [one["alert"] for one in alerts()] == list(FIRED)
    for one in alerts():
        assert one["labels"]["severity"] in {"info", "warning", "critical"}
        assert set(one["annotations"]) == {"summary", "description"}
        promql_parser.parse(one["expr"])
