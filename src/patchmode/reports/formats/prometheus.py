"""A record as Prometheus text, for the node exporter's textfile collector.

Source: Prometheus' "Exposition formats", version 0.0.4: help and type before the samples, escapes in labels.

Must not: make series; the record has them, and their number is bounded there.
"""

from collections.abc import Iterator, Mapping

from patchmode.model.plain_text import marked
from patchmode.model.record import Metric, Record


def prometheus(record: Record) -> Iterator[str]:
    """The text, in pieces; a gauge that nothing is known of has no samples and is left out."""
    for metric in record.metrics:
        if metric.samples:
            yield from _gauge(metric)


def _gauge(metric: Metric) -> Iterator[str]:
    text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {metric.name} {text}\n# TYPE {metric.name} gauge\n"
    for labels, value in metric.samples:
        yield f"{metric.name}{_labels(labels)} {_number(value)}\n"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}" if labels else ""


def _escaped(value: str) -> str:
    return marked(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
