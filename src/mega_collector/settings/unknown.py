"""Variables with a half's prefix that are none of its settings: typos, which must not go unnoticed."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches

from mega_collector.errors import SettingError

# What Kubernetes puts into every container for each service of the namespace, here one that is named for a half:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_INJECTED = re.compile(
    r"([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_[A-Z]+(_(PROTO|PORT|ADDR))?)"
)
_INJECTED_URL = re.compile(r"([A-Z0-9_]+_)?PORT")
_URL = re.compile(r"(tcp|udp|sctp)://.*")


def refuse_unknown(environ: Mapping[str, str], prefix: str, known: Collection[str]) -> None:
    """Look for variables that begin with `prefix` and are not `known`.

    Raises:
        SettingError: there is one; the first by name is told, without its value.
    """
    for variable in sorted(environ):
        ours = variable.startswith(prefix) and variable not in known
        if ours and not _is_injected(variable.removeprefix(prefix), environ[variable]):
            raise SettingError(variable, "is no setting; " + _advice(variable, prefix, known))


def _is_injected(name: str, value: str) -> bool:
    if _INJECTED.fullmatch(name):
        return True
    # By its name alone, LISTEN_PORT=8000 would be one of these.
    return _INJECTED_URL.fullmatch(name) is not None and _URL.fullmatch(value) is not None


def _advice(variable: str, prefix: str, known: Collection[str]) -> str:
    names = [each.removeprefix(prefix) for each in known]  # the prefix would make all alike
    close = get_close_matches(variable.removeprefix(prefix), names, n=1)
    return f"did you mean {prefix}{close[0]}?" if close else "unset it (--help lists all settings)"
