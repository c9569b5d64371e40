"""A machine for a page: a directory like a checkout, logs, and the ports and directories of this one kept out of it."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from documentation.page import ROOT, Block

# The names under which a page knows other machines lead back here.
_HOSTS = "127.0.0.1 localhost logs.example.net\n"

_PREPARE = r"""
ip link set lo up
for each in /srv /var/lib /var/log; do mount -t tmpfs tmpfs "$each"; done
mount --bind ../hosts /etc/hosts
for number in 1 2 3; do echo "GET /$number"; done > /var/log/web.log
cp /var/log/web.log /var/log/dpkg.log
"""

_RUN = r"""
set -meuo pipefail
going=()

wait_until() {
  local tries
  for ((tries = 0; tries < 1200; tries++)); do
    if bash -c "$1" > /dev/null 2>&1; then return; fi
    sleep 0.05
  done
  echo "this never came to be: $1"
  return 1
}

# A group of its own (by -m), which is asked to end as by Ctrl-C: how the last of its commands ends is how it ends.
keep_running() { bash -euo pipefail -c "trap : INT; $1" & going+=("$!"); }

stop_all() {
  local group
  for group in "${going[@]}"; do
    kill -0 "$group" || { echo "what was to keep running has ended"; return 1; }
  done
  local at
  for ((at = ${#going[@]} - 1; at >= 0; at--)); do
    kill -INT -- "-${going[at]}"
    wait "${going[at]}"
  done
}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a page ended: the exit code, the line of the block at which it ended, and what each block said."""

    code: int
    line: int
    said: dict[int, str]


class Machine:
    """Where the blocks of a page are run, in one shell; what keeps running is a shell of its own, as in another window.

    Batches go out every 100ms, by a variable: else each would be waited for, for a quarter of a minute.
    """

    def __init__(self, directory: Path) -> None:
        if not (ROOT / ".venv" / "installed-dev").exists():
            pytest.skip("scripts/setup has not been run in this checkout")
        self._directory = directory
        self._namespace = ["unshare", "-Urmn", "--mount-proc", "--pid", "--fork", "--kill-child", "--"]
        tried = subprocess.run([*self._namespace, "true"], check=False, capture_output=True, text=True)
        if tried.returncode != 0 or shutil.which("ip") is None:
            pytest.skip(f"no machine within this one can be had here: {tried.stderr.strip() or 'there is no ip'}")
        (directory / "said").mkdir()
        (directory / "hosts").write_text(_HOSTS)
        self._checkout = directory / "checkout"
        self._checkout.mkdir()
        for part in ("scripts", "packaging", "pyproject.toml", "constraints.txt", "README.md", "LICENSE", "src"):
            (self._checkout / part).symlink_to(ROOT / part)

    def run(self, blocks: Sequence[Block]) -> Ended:
        script = self._directory / "script"
        script.write_text("\n".join([_RUN, *map(self._part, blocks), "stop_all"]))
        environment = {
            "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self._directory),
            "AGGREGATOR_MINIMUM_PUBLISH_FREQUENCY": "100ms",
        }
        command = f"{_PREPARE} exec bash {script}"
        with (self._directory / "said" / "0").open("w") as output:
            ended = subprocess.run(
                [*self._namespace, "bash", "-euc", command],
                check=False,
                cwd=self._checkout,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        said = {int(file.name): file.read_text() for file in (self._directory / "said").iterdir()}
        return Ended(ended.returncode, max(said), said)

    def _part(self, block: Block) -> str:
        """What the script says for a block: what it prints goes to a file that is named for its line."""
        said = self._directory / "said" / str(block.line)
        run = f"keep_running {_quoted(block.commands)}" if block.keeps_running else f"{{\n{block.commands}\n}}"
        wait = "" if block.condition is None else f"wait_until {_quoted(block.condition)} >> {said}"
        return f"{run} > {said} 2>&1\n{wait}"


def matches(expected: str, said: str) -> bool:
    """Whether that was said, where `...` is anything, and as many spaces as columns need are one."""
    pattern = ".*".join(re.escape(part) for part in _narrow(expected).split("..."))
    return re.fullmatch(pattern, _narrow(said), re.DOTALL) is not None


def _narrow(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
