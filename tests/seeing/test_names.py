"""What is written of the metrics, in the docs and for other programs, is what both halves say of themselves."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from certificates import Authority, Material
from harness.metrics import unused_port
from harness.site import Site
from harness.until import until
from pagerduty_server import WRONG_KEY, PagerDutyServer
from seeing.looking import Seen

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "metrics.md"
RULES = ROOT / "packaging" / "prometheus" / "rules.yaml"
DASHBOARD = ROOT / "packaging" / "grafana" / "dashboard.json"

NAME = re.compile(r"\bmega_collector_\w+")
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", re.MULTILINE)

PROMQL = {"sum", "max", "topk", "count", "rate", "increase", "time", "vector", "by", "or", "level"}
"""Words of the language that are used, and the labels in `by`."""

Families = dict[str, tuple[str, str, str]]
"""By name: kind, labels, help."""


def families(text: str) -> Families:
    kinds = dict(re.findall(r"^# TYPE (mega_\w+) (\w+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (mega_\w+) (.*)$", text, re.MULTILINE))
    labels = dict.fromkeys(kinds, "")
    for name, found in re.findall(r"^(mega_\w+)\{(.*)\} \S+$", text, re.MULTILINE):
        labels[name] = ", ".join(f"`{each}`" for each in re.findall(r'(\w+)="', found))
    return {name: (kinds[name], labels[name], helps[name]) for name in kinds}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Families]:
    """By two processes that have everything that can be said of: TLS, and a file that is behind."""
    authority, port = Authority(), unused_port()
    with Site(tmp_path_factory.mktemp("site")) as site:
        seen = Seen(site)
        address = f"127.0.0.1:{port}"
        tls = settings("AGGREGATOR", authority.material()) | settings("COLLECTOR", authority.material("web-1"))
        with site.given(tls), PagerDutyServer(usual=WRONG_KEY) as pagerduty:
            notify = {"integration_key": "k" * 32, "incident_key": "i", "identifier": "d", "url": pagerduty.url}
            site.aggregator(
                listen_address=address,
                metrics_address=seen.addresses["aggregator"],
                notify_configuration=json.dumps(notify),
            )
            site.collector(remote_address=address, metrics_address=seen.addresses["collector"])
            site.writer().write(10)
            site.assert_delivered()
            seen.wait_for("aggregator", "alert_last_failure", path="/metrics")
        seen.break_destination()
        site.writer().write(10)
        seen.wait_for("collector", "file_lag_seconds{", path="/metrics")
        seen.wait_for("aggregator", "collector_lag_seconds{", path="/metrics")
        until(lambda: seen.metric("aggregator", "destination_failing"), "the failure")
        texts = [seen.get(half, "/metrics") for half in ("aggregator", "collector")]
        for text in texts:
            series = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
            assert len(set(series)) == len(series), "Prometheus takes no sample twice"
        yield families("".join(texts))
        seen.mend_destination()


def settings(half: str, material: Material) -> dict[str, str]:
    parts = {"CERTIFICATE": material.certificate, "KEY": material.key, "CA_CERTIFICATE": material.ca}
    return {f"{half}_TLS": "1"} | {f"{half}_TLS_{part}": pem.decode() for part, pem in parts.items()}


def test_the_docs_list_every_metric_as_it_is(said: Families) -> None:
    listed = {name: (kind, labels, help_) for name, kind, labels, help_ in ROW.findall(DOCS.read_text())}
    missing = [f"| `{name}` | {' | '.join(said[name])} |" for name in said if listed.get(name) != said[name]]
    assert not missing, "docs/metrics.md should say:\n" + "\n".join(missing)
    assert listed.keys() == said.keys()


def test_names_are_as_prometheus_wants_them(said: Families) -> None:
    for name, (kind, _, help_) in said.items():
        assert re.fullmatch(r"mega_collector_(collector|aggregator)_[a-z_]+", name)
        assert name.endswith("_total") == (kind == "counter"), name
        assert not re.search(r"_(ms|milliseconds|kb|mib|percent|minutes)(_|$)", name)
        assert help_


def expressions() -> Iterator[str]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_alerts_and_dashboard_ask_for_what_there_is(said: Families) -> None:
    for expression in expressions():
        asked = NAME.findall(expression)
        assert asked, expression
        assert not set(asked) - said.keys(), expression
        for name in re.findall(r"(?:rate|increase)\((\w+)", expression):
            assert said[name][0] == "counter", expression


@pytest.mark.parametrize("expression", list(expressions()))
def test_an_expression_is_one(expression: str) -> None:
    bare = re.sub(r"\[(\d+[smhd]|\$__rate_interval)\]", "", expression)
    assert bare.count("(") == bare.count(")")
    assert not set(re.findall(r"[a-zA-Z_]\w*", bare)) - PROMQL - set(NAME.findall(bare))
    assert not re.search(r"[^\w\s(),*<>=-]", bare)


def test_alerts_name_labels_that_there_are(said: Families) -> None:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        names = [rule["alert"] for rule in group["rules"]]
        assert len(set(names)) == len(names)
        for rule in group["rules"]:
            used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) - {"instance"}
            there = {label for name in NAME.findall(rule["expr"]) for label in said[name][1].strip("`").split("`, `")}
            assert used <= there, rule["alert"]


def test_panels_stand_beside_and_below_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
