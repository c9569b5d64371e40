from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.site import Site
from service.heard import Heard

WATCHDOG = 3.0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as it:
        yield it


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    with Heard(tmp_path / "notify", watchdog=WATCHDOG) as it:
        yield it
