"""The real logrotate, run once."""

import shutil
import subprocess
from pathlib import Path

from endtoend.web import require

_CONFIGURATION = """
{log} {{
    rotate 100
    {how}
}}
"""


def logrotate(directory: Path, log: Path, *how: str) -> None:
    """Rotate a log now, with these directives. The configuration and state are kept in `directory`."""
    require("logrotate")
    program = shutil.which("logrotate", path="/usr/sbin:/usr/bin:/sbin:/bin")
    assert program
    configuration = directory / "logrotate.conf"
    configuration.write_text(_CONFIGURATION.format(log=log, how="\n    ".join(how)))
    configuration.chmod(0o644)
    subprocess.run([program, "--force", "--state", directory / "logrotate.state", configuration], check=True)
