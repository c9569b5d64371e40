"""The command, as a person starts it."""

import subprocess
import sys
from pathlib import Path

_SOURCE = Path(__file__).parents[2] / "src"


def mega_collector(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment that holds nothing but `environ`, at home in `cwd`, and wait for its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "mega_collector", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(_SOURCE), "HOME": str(cwd), "XDG_STATE_HOME": str(cwd / "state"), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
