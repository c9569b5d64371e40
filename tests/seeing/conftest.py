from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.site import Site
from harness.template import Template
from seeing.looking import Seen


@pytest.fixture
def seen(tmp_path: Path, template: Template) -> Iterator[Seen]:
    with Site(tmp_path, template) as site:
        yield Seen(site)
