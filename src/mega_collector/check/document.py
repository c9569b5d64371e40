"""What `check --json` gives."""

from collections.abc import Iterable, Sequence
from typing import Any

from mega_collector.check.effective import Effective
from mega_collector.check.finding import Finding, Mark

_STATES = {Mark.READY: "ok", Mark.LOOK: "look", Mark.BAD: "bad"}


def document(settings: Iterable[Effective], findings: Sequence[Finding]) -> dict[str, Any]:
    """Plain values. `ready` is what the exit code says; what a finding has beyond its text depends on what it is of."""
    return {
        "ready": all(finding.ok for finding in findings),
        "settings": [{"variable": each.variable, "value": each.shown, "from": each.source} for each in settings],
        "findings": [{"state": _STATES[each.mark], "text": each.text, **each.facts} for each in findings],
    }
