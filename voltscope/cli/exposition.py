"""The exporter's metrics as the commands read them: one scrape, looked up by name and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from voltscope.cli.peers import ask, public, refusal
from voltscope.errors import PeerUnexpected

if TYPE_CHECKING:
    from voltscope.site import Site

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Snapshot:
    """The samples of one scrape, by sample name; `text` is the exposition they were read from."""

    samples: Mapping[str, list[tuple[Labels, float]]] = field(default_factory=dict)
    text: str = ""

    def value(self, name: str, **labels: str) -> float | None:
        """The first sample of that name with at least those labels, None when there is none."""
        for found, value in self.samples.get(name, ()):
            if all(found.get(key) == wanted for key, wanted in labels.items()):
                return value
        return None

    def total(self, name: str, **labels: str) -> float | None:
        """The sum of the samples of that name with at least those labels, None when there is none."""
        values = [
            value
            for found, value in self.samples.get(name, ())
            if all(found.get(key) == wanted for key, wanted in labels.items())
        ]
        return sum(values) if values else None

    def labels(self, name: str, **labels: str) -> Labels:
        """The labels of that first sample, empty when there is none."""
        for found, _ in self.samples.get(name, ()):
            if all(found.get(key) == wanted for key, wanted in labels.items()):
                return found
        return {}

    def one_of(self, name: str, label: str, **labels: str) -> str | None:
        """Of a state set, the value of `label` whose sample is 1."""
        for found, value in self.samples.get(name, ()):
            if value == 1 and all(found.get(key) == wanted for key, wanted in labels.items()):
                return found.get(label)
        return None

    def names(self, name: str, label: str) -> list[str]:
        """Every value of `label` among the samples of that name, sorted."""
        return sorted({found[label] for found, _ in self.samples.get(name, ()) if label in found})


def scrape(site: Site, *, timeout_s: float = 10.0) -> Snapshot:
    """One scrape of the site's exporter. Raises PeerUnreachable, PeerUnexpected and, refused, RemoteError."""
    url = f"{site.exporter.rstrip('/')}/metrics"
    answer = ask("exporter", url, timeout_s=timeout_s)
    if answer.status == 401 and site.credentials:
        # only a listener beyond loopback asks who reads
        answer = ask("exporter", url, secret=_reader_secret(site.credentials), timeout_s=timeout_s)
    if answer.status >= 400:
        raise refusal("exporter", url, answer)
    return parse(answer.body.decode(errors="replace"), url)


def _reader_secret(credentials: str) -> str | None:
    from voltscope.web.access import OPERATOR, VIEWER, Access

    access = Access(Path(credentials))
    return access.secret_of(VIEWER) or access.secret_of(OPERATOR)


def parse(text: str, url: str) -> Snapshot:
    """`text` in the Prometheus exposition format as a snapshot. Raises PeerUnexpected naming `url`."""
    from prometheus_client.parser import text_string_to_metric_families

    samples: dict[str, list[tuple[Labels, float]]] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, float(sample.value)))
    except (ValueError, KeyError, IndexError) as error:
        raise PeerUnexpected(
            f"what {public(url)} answers is no Prometheus exposition.",
            "Another program may hold the port. The site file (--site) says where the exporter is.",
        ) from error
    if "voltscope_build_info" not in samples:
        raise PeerUnexpected(
            f"what answers at {public(url)} is no voltscope exporter.",
            "The site file (--site) says where the exporter is.",
        )
    return Snapshot(samples, text)
