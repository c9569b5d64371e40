"""What both halves go through while logs are written: a pure function of a seed."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from harness.trigger import TRIGGERS, When


class Mode(StrEnum):
    """What goes wrong besides deaths."""

    PLAIN = "plain"
    FULL_DISK = "full-disk"
    """Most of the time files of the aggregator's may not grow beyond a point; in other modes now and then."""
    COLLECTOR_WIPED = "collector-wiped"
    """Some collectors begin without the state of the one before."""
    AGGREGATOR_WIPED = "aggregator-wiped"
    """Likewise: then lines may come twice."""
    ROTATED = "rotated"
    """The aggregator rotates and compresses its output; in every second plan that is a file for each source."""


HOW = {
    "kill": 8,
    "stop": 2,
    "stop twice": 1,
    "stop and kill": 2,
    "freeze": 4,
    "cut": 1,
    "tear": 1,
    "half-close": 1,
}
"""What is done to a half, or to the connection, and how often."""

OUT = "OUT"
"""Stands in a setting for the directory of the output."""

NETWORKS = {"good": 6, "slow": 1, "silent": 1}
"""`silent`: what the aggregator says is kept back."""


@dataclass(frozen=True, slots=True)
class Act:
    """Wait for `times` events of `trigger` and `lag` milliseconds more; then it is done `how` to `whom`.

    What is to stop and be killed is asked to stop before that wait, and killed after it. What was ended is started
    again after `rest` milliseconds. What was frozen goes on after the next act, `gap` milliseconds behind.
    """

    how: str
    whom: str
    trigger: str
    times: int
    lag: float
    rest: int
    gap: int
    network: str = "good"
    """As it is meanwhile."""
    room: int | None = None
    """Bytes by which the destination may grow meanwhile; None: as it likes."""
    wiped: str | None = None
    """Which half begins without its state after it."""

    @property
    def ends(self) -> bool:
        """Whether a process ends by it."""
        return self.how not in {"freeze", "cut", "tear", "half-close"}


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    mode: Mode
    acts: tuple[Act, ...]
    longest: int
    """COLLECTOR_MAX_LINE_SIZE."""
    collector: dict[str, str] = field(default_factory=dict)
    """Settings."""
    aggregator: dict[str, str] = field(default_factory=dict)


def random_plan(seed: int, mode: Mode | None = None, acts: int = 25) -> Plan:
    random = Random(seed)
    chosen = mode or random.choices(list(Mode), [3, 2, 3, 2, 3])[0]
    longest = random.choice([1024, 16 << 10])
    collector = {
        "max_line_size": str(longest),
        "watch": random.choice(["auto", "auto", "poll"]),
        "window_size": random.choice(["128KiB", "32MiB"]),
        "close_inactive": random.choice(["150ms", "5m"]),
    }
    aggregator = {
        "max_batch_size": random.choice(["10", "1000"]),
        "minimum_publish_frequency": random.choice(["1ms", "50ms", "300ms", "2s"]),
    }
    if chosen is Mode.ROTATED:
        name = random.choice(["out.log", "{host}/{path}/%Y-%m-%d.log"])
        aggregator["file_configuration"] = json.dumps(
            {"path": f"{OUT}/{name}", "rotate_size": "32KB", "keep": 1000, "compress": "gzip"}
        )
    planned: list[Act] = []
    for _ in range(acts):
        planned.append(_act(random, chosen, planned[-1] if planned else None))
    return Plan(seed, chosen, tuple(planned), longest, collector, aggregator)


def _act(random: Random, mode: Mode, before: Act | None) -> Act:
    how, whom = _pick(random, HOW), random.choice(["collector", "collector", "aggregator", "aggregator", "both"])
    return Act(
        how=how,
        whom=whom,
        trigger=random.choice([*_likely(how, whom, before), "output written", "time", "time"]),
        times=random.choice([1, 1, 2, 3, 10]),
        lag=random.choice([0, 0, 0, random.random(), random.random() * 10, random.random() * 300]),
        rest=random.choice([0, 0, 50, 300]),
        gap=random.choice([0, 0, 200, 600]),
        network=_pick(random, NETWORKS),
        room=random.randint(0, 100_000) if random.random() < (0.6 if mode is Mode.FULL_DISK else 0.15) else None,
        wiped=mode.removesuffix("-wiped") if mode.endswith("-wiped") and random.random() < 0.4 else None,
    )


def _likely(how: str, whom: str, before: Act | None) -> list[str]:
    """The triggers that will come: some only where a half begins, or ends."""
    ending = [] if how != "stop and kill" else [whom] if whom != "both" else ["aggregator", "collector"]
    begun = ["aggregator", "collector"] if before is None or before.whom == "both" else [before.whom]
    if before is not None and not before.ends:
        begun = []
    return [
        name
        for name, trigger in TRIGGERS.items()
        if trigger.when is When.ALWAYS
        or (trigger.when is When.BEGINNING and trigger.half in begun)
        or (trigger.when is When.ENDING and trigger.half in ending)
    ]


def _pick(random: Random, weights: dict[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]
