"""Wrappers that give a process a kernel with less to give: limits and mounts in namespaces of its own."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest


def without_inotify(limit: str) -> Sequence[str]:
    """The process gets none of what `limit` counts: `max_inotify_instances` or `max_inotify_watches`."""
    setting = f"/proc/sys/user/{limit}"
    if not Path(setting).exists():
        pytest.skip(f"this kernel has no {setting}")
    return _wrapped(["--user", "--map-root-user"], f"echo 0 > {setting}")


def give_inotify(pid: int, limit: str) -> None:
    """From now on that process, which was started without, gets what `limit` counts."""
    given = f"echo 100 > /proc/sys/user/{limit}"
    enter = ["nsenter", f"--target={pid}", "--user", "--preserve-credentials"]
    subprocess.run([*enter, "sh", "-c", given], check=True, timeout=30)


def read_only(*writable: Path) -> Sequence[str]:
    """The root filesystem, and that of what is `writable`, can be read only, but for these directories."""
    mounts = [f"mount --bind {each} {each}" for each in writable]
    below = {_mount_of(each) for each in writable} | {Path("/")}
    mounts += [f"mount -o remount,bind,ro {each}" for each in sorted(below)]
    return _wrapped(["--user", "--map-root-user", "--mount"], " && ".join(mounts))


def mounted(directory: Path, *, size: str) -> Sequence[str]:
    """The directory is a disk of that size, empty at first: seen from outside through /proc/PID/root."""
    return _wrapped(["--user", "--map-root-user", "--mount"], f"mount -t tmpfs -o size={size} tmpfs {directory}")


def bound(disk: Path, directory: Path) -> Sequence[str]:
    """`disk` is a disk of its own, empty at first, and `directory` shows what it holds: see `within`."""
    return _wrapped(
        ["--user", "--map-root-user", "--mount"], f"mount -t tmpfs tmpfs {disk} && mount --bind {disk} {directory}"
    )


def within(pid: int, *command: str | Path) -> None:
    """Run something where the process has its mounts."""
    enter = ["nsenter", f"--target={pid}", "--user", "--mount", "--preserve-credentials"]
    subprocess.run([*enter, *command], check=True, timeout=30)


def _wrapped(namespaces: Sequence[str], prepare: str) -> Sequence[str]:
    wrapper = ["unshare", *namespaces, "sh", "-c", f'{prepare} && exec "$@"', "sh"]
    tried = subprocess.run([*wrapper, "true"], check=False, capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"this machine allows no such namespace: {tried.stderr.strip()}")
    return wrapper


def _mount_of(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.is_mount())
