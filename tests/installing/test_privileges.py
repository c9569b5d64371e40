"""What the units and manifests leave a collector is enough: to be nobody, who may read every file."""

import os

import pytest

from harness.site import Site
from starting.attempt import give_away

READS_ALL = "-all,+dac_read_search"


@pytest.mark.parametrize("user", [65534, 0])
def test_a_collector_reads_the_logs_of_others_by_one_capability(site: Site, user: int) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a capability away")
    state = site.directory / "collector"
    state.mkdir()
    if user:
        give_away(state)
    writer = site.writer()
    writer.write(10)
    os.chown(site.logs / "a.log", 1, 1)
    (site.logs / "a.log").chmod(0o600)
    os.chown(site.logs, 1, 1)
    site.logs.chmod(0o700)
    site.aggregator(listen_address="127.0.0.1:0")
    port = site.processes[0].wait_for("listening")["address"]
    capabilities = [f"--{kind}={READS_ALL}" for kind in ("inh-caps", "ambient-caps", "bounding-set")]
    wrapper = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *capabilities, "--no-new-privs"]
    collector = site.collector(wrapper=wrapper, remote_address=port)
    site.assert_delivered()
    writer.write(10)
    site.assert_delivered()
    assert not collector.events("cannot_read")
