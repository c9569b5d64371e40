"""The half that is meant is found, or whose it is."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from cases.nobody import as_nobody, site_of_nobody
from harness.process import SOURCE, Process
from harness.site import Site
from harness.template import Template
from mega_collector.api import api_pb2 as pb
from mega_collector.operator_client import find, operator_of, unheard

FIND = "import sys; from pathlib import Path; from mega_collector.operator_client import find; "
FIND += "print(find([('aggregator', Path(each)) for each in sys.argv[1:]])[1].name)"


@pytest.fixture
def site(tmp_path: Path, template: Template) -> Iterator[Site]:
    with Site(tmp_path, template) as site:
        yield site


def test_the_first_that_runs_is_found(site: Site) -> None:
    site.aggregator()
    nowhere, here = site.directory / "nowhere", site.directory / "aggregator"
    assert find([("collector", nowhere), ("aggregator", here)]) == ("aggregator", here)
    assert find([("collector", nowhere), ("aggregator", nowhere)]) == ("collector", nowhere)


@pytest.mark.parametrize("end", [Process.stop, Process.kill])
def test_one_that_ends_while_it_is_asked_is_told_as_that(site: Site, end: Callable[[Process], object]) -> None:
    aggregator = site.aggregator()
    with operator_of(site.directory / "aggregator", "aggregator") as operator:
        end(aggregator)
        with pytest.raises(grpc.RpcError) as error:
            operator.Replay(pb.ReplayRequest())
    assert unheard(error.value) == "it has ended meanwhile: try again when it runs"


def test_what_may_be_somebody_elses_comes_before_what_is_not_there() -> None:
    with site_of_nobody() as site:
        if not as_nobody():
            pytest.skip("only root can be somebody else")
        site.aggregator()
        state = site.directory / "aggregator"
        state.chmod(0o700)
        command = [*as_nobody(), sys.executable, "-c", FIND, str(site.directory / "nowhere"), str(state)]
        found = subprocess.run(command, env={"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=True)
        assert found.stdout == "aggregator\n"
