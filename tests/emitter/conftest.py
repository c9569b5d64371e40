from pathlib import Path

import pytest

from emitter.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    for name in ("logs", "state"):
        (tmp_path / name).mkdir()
    return Ledger(tmp_path / "logs" / "out.log", tmp_path / "state")
