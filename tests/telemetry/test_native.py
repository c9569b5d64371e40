"""The aggregator's log says why it refused a client, in its own format."""

import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def test_each_refused_client_is_a_fact_with_its_reason() -> None:
    ran = subprocess.run(
        [sys.executable, HERE / "refusing.py"],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *lines, foreign, last = ran.stderr.splitlines()
    facts = [json.loads(line) for line in lines]
    assert {fact["event"] for fact in facts} == {"handshake_failed"}
    reasons = [fact["reason"] for fact in facts]
    assert [next(word for word in ("expired", "signed", "no certificate", "TLS") if word in r) for r in reasons] == [
        "expired",
        "signed",
        "no certificate",
        "TLS",
    ]
    assert (foreign, last) == ("not of gRPC", "after the end")
