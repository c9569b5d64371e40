from pathlib import Path

import pytest

from certificates import Authority
from mega_collector.settings.pem import exposed, pem

PEM_TEXT = Authority().material().key


@pytest.mark.case(82)
def test_a_key_that_everybody_can_read_is_known_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(PEM_TEXT)
    path.chmod(0o644)
    assert exposed(pem(str(path))) == path

    path.chmod(0o600)
    assert exposed(pem(str(path))) is None
    assert exposed(pem(PEM_TEXT.decode())) is None
    assert exposed(None) is None
