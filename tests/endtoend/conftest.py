from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.site import Site
from harness.template import Template


@pytest.fixture
def site(tmp_path: Path, template: Template) -> Iterator[Site]:
    with Site(tmp_path, template) as site:
        yield site
