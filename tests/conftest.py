import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from cases.starred import fail_if_skipped
from harness.aside import Aside
from harness.site import Site
from harness.template import Template

T = TypeVar("T")

# How long an example takes says something of the machine, and nothing of what is tested.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--case", type=int, help="only the tests of this hard case (docs/cases.md)")
    parser.addoption("--all-starred", action="store_true", help="a test of a starred case fails if it is skipped")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--case")
    if wanted is not None:
        items[:] = [item for item in items if any(wanted in mark.args for mark in item.iter_markers("case"))]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.config.getoption("--all-starred") and call.excinfo is not None:
        fail_if_skipped(item, report, call.excinfo.value)
    return report


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """For processes of which a test has many, and to which it does not matter how they begin."""
    with Template() as template:
        yield template


@pytest.fixture
def site(tmp_path: Path, template: Template) -> Iterator[Site]:
    """Where how a process begins is what is tested, there is another, without a template."""
    with Site(tmp_path, template) as site:
        yield site


@pytest.fixture
def aside() -> Aside:
    """Daemons: a test whose thread hangs fails, and the others go on."""

    def start(call: Callable[[], T], /) -> Future[T]:
        future = Future[T]()
        threading.Thread(target=_into, args=(future, call), daemon=True).start()
        return future

    return start


def _into(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - the test raises it
        future.set_exception(error)
