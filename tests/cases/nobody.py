"""A site whose halves run as a user to whom files can be closed: root may read everything."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from harness.process import Process
from harness.site import Site

_ID = 65534


@contextmanager
def site_of_nobody() -> Iterator[Site]:
    """Everything in it may be read by all; the directories belong to whom the halves run as, the logs do not."""
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    with TemporaryDirectory() as directory, Site(Path(directory)) as site:
        if os.geteuid() == 0:
            for each in (site.directory, site.out.parent):
                os.chown(each, _ID, _ID)
        yield site


def both_as_nobody(site: Site, **settings: str) -> tuple[Process, Process]:
    """Start both halves; the settings are the collector's."""
    aggregator = site.aggregator(wrapper=as_nobody(), wait=False)
    collector = site.collector(wrapper=as_nobody(), **settings)
    aggregator.wait_for("listening")
    return aggregator, collector


def as_nobody() -> Sequence[str]:
    """What runs the rest as nobody."""
    same_group = ("--regid", str(_ID), "--clear-groups", "--")
    return ("setpriv", "--reuid", str(_ID), *same_group) if os.geteuid() == 0 else ()
