import pytest


@pytest.fixture(params=["auto", "poll"])
def watch(request: pytest.FixtureRequest) -> str:
    """How the collector learns of changes: `site.collector(watch=watch)`."""
    return str(request.param)
