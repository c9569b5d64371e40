import pytest

from harness.site import Site
from seeing.looking import Seen


@pytest.fixture
def seen(site: Site) -> Seen:
    return Seen(site)
