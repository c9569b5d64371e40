"""The errors that this project raises.

MegaCollectorError
├── SettingError          a setting cannot be used: a person must change it (exit 2)
├── StartError            something outside the settings forbids the start: a port or a state in use (exit 2)
├── EmitError             the destination did not take a batch: trying again can help
│   └── DestinationGone   it never will again in this process (a closed pipe): exit 1
├── RetriesExhausted      it was tried as often as the settings say
├── Stopping              the wait for another try was cut short by the shutdown
└── WireError             a peer sent what cannot be understood: trying again cannot help
"""


class MegaCollectorError(Exception):
    """The root: its text is one line, fit to be shown to a person, and holds no secret."""


class SettingError(MegaCollectorError):
    """A setting cannot be used. The text names the variable, what was wrong and what is allowed."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.name = name


class StartError(MegaCollectorError):
    """The start is forbidden by something outside the settings, such as a port or a state directory in use."""


class EmitError(MegaCollectorError):
    """The destination did not take a batch, and holds no trace of it. Trying again can help."""


class DestinationGone(EmitError):
    """The destination will not take anything again in this process. Trying again cannot help."""


class RetriesExhausted(MegaCollectorError):
    """An emit failed as often as the settings allow; `__cause__` is the last failure."""

    def __init__(self, attempts: int, cause: EmitError) -> None:
        super().__init__(f"gave up after {attempts} attempts: {cause}")
        self.attempts = attempts
        self.cause = cause


class Stopping(MegaCollectorError):
    """The shutdown ended the wait for another try. Nothing was taken and nothing is given up."""


class WireError(MegaCollectorError):
    """A peer sent what cannot be understood. Trying again cannot help."""
