"""Random histories: what happens to logs, and to those who read them. A pure function of a seed."""

from dataclasses import dataclass, field
from random import Random

Operation = tuple[str | int | bool, ...]
"""Its name and its values, as `Logs` (what is in `FILE_OPERATIONS`) and `Stage` (the rest) perform it."""

FILE_OPERATIONS = {
    "write": 24,
    "part": 6,
    "late": 6,
    "reopen": 8,
    "rotate": 10,
    "leave": 4,
    "come_back": 3,
    "unlink": 3,
    "drop": 2,
    "recreate": 4,
    "link": 3,
    "replace": 4,
    "swap": 5,
    "copy_and_truncate": 5,
    "truncate": 4,
    "refill": 6,
    "compress": 4,
}
"""With how often each happens."""

_PROCESS_OPERATIONS = {
    "kill_collector": 5,
    "stop_collector": 2,
    "freeze_collector": 4,
    "kill_aggregator": 3,
    "stop_aggregator": 1,
    "freeze_aggregator": 3,
    "cut_connection": 4,
    "keep_back_answers": 3,
    "settle": 3,
}

_WIPED = 0.3
"""How often a collector that is killed loses its state too."""

_CURES = {
    "kill_collector": "start_collector",
    "stop_collector": "start_collector",
    "freeze_collector": "thaw_collector",
    "kill_aggregator": "start_aggregator",
    "stop_aggregator": "start_aggregator",
    "freeze_aggregator": "thaw_aggregator",
    "keep_back_answers": "release_answers",
}

_DESTROYING = {"unlink", "drop", "recreate", "copy_and_truncate", "truncate", "refill", "swap", "leave", "replace"}
"""Before these everything is often delivered first: then it is known to the line what must come of them."""

_NAMES = ("a", "a", "b", "s")


@dataclass(frozen=True, slots=True)
class History:
    seed: int
    operations: tuple[Operation, ...]
    collector: dict[str, str] = field(default_factory=dict)
    """Settings."""
    aggregator: dict[str, str] = field(default_factory=dict)


def random_history(seed: int) -> History:
    return _Author(seed).write()


class _Author:
    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._random = Random(seed)
        self._wipes = Random(f"what is wiped of {seed}")
        self._operations: list[Operation] = []
        self._troubles: dict[str, int] = {}
        """What is to be put right, and after how many more operations."""

    def write(self) -> History:
        choose = self._random.choice
        collector = {
            "watch": choose(["auto", "poll"]),
            "close_inactive": choose(["150ms", "5m"]),
            "max_line_size": choose(["1KiB", "16KiB"]),
            "window_size": choose(["128KiB", "32MiB"]),
        }
        aggregator = {"max_batch_size": choose(["10", "1000"])}
        self._begin()
        for _ in range(self._random.randint(20, 60)):
            self._next()
        return History(self._seed, tuple(self._operations), collector, aggregator)

    def _begin(self) -> None:
        """Usually both run before there is a log, sometimes the logs are there first."""
        starts: list[Operation] = [("start_aggregator",), ("start_collector",)]
        self._random.shuffle(starts)
        if self._random.random() < 0.3:
            self._operations.append(("write", "a", 5, 40))
        self._operations += starts
        if self._random.random() < 0.7:
            self._operations += [("write", "a", 5, 40), ("write", "s", 5, 40), ("settle",)]

    def _next(self) -> None:
        for cure, left in list(self._troubles.items()):
            self._troubles[cure] = left - 1
            if not left:
                self._operations.append((cure,))
                del self._troubles[cure]
        if self._random.random() < 0.22:
            self._to_processes(self._pick(_PROCESS_OPERATIONS))
        else:
            self._to_files(self._pick(FILE_OPERATIONS))
        if self._random.random() < 0.5:
            self._operations.append(("pause", self._random.choice([1, 5, 20, 60, 60, 150, 600])))

    def _to_processes(self, name: str) -> None:
        cure = _CURES.get(name)
        if cure in self._troubles:
            return
        if not self._troubles and name.endswith("_collector") and self._random.random() < 0.5:
            self._operations.append(("settle",))
        wiped = name == "kill_collector" and self._wipes.random() < _WIPED
        self._operations.append(("wipe_collector" if wiped else name,))
        if name == "settle":
            self._troubles.clear()
        if cure is not None:
            self._troubles[cure] = self._random.randint(0, 5)

    def _to_files(self, name: str) -> None:
        if name in _DESTROYING and not self._troubles and self._random.random() < 0.7:
            self._operations.append(("settle",))
        log = "s" if name == "swap" else self._random.choice(_NAMES)
        self._operations.append(self._with_values(name, log))
        if name in {"rotate", "leave", "replace", "unlink", "swap"} and self._random.random() < 0.7:
            if self._random.random() < 0.3:
                self._operations.append(("write", log, self._random.randint(1, 20), 40))
            self._operations.append(("reopen", log))

    def _with_values(self, name: str, log: str) -> Operation:
        some = self._random.randint
        match name:
            case "write":
                return (name, log, self._random.choice([1, 1, 3, 10, 300]), self._random.choice([0, 40, 40, 900, 5000]))
            case "part":
                return (name, log, some(1, 999), self._random.choice([50, 50, 5000]))
            case "late" | "recreate" | "replace":
                return (name, log, some(1, 20))
            case "link" | "copy_and_truncate" | "compress":
                return (name, log, self._random.random() < 0.5)
            case "swap":
                return (name, self._random.random() < 0.3)
            case "truncate":
                return (name, log, self._random.choice([0, some(1, 999), some(900, 999)]))
            case "refill":
                return (name, log, self._random.choice([some(1, 99), 100, 100, some(101, 300)]))
            case _:
                return (name, log)

    def _pick(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]
