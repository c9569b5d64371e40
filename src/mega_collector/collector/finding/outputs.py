"""Which of the files that are found the aggregator writes to: a machine."""

from collections.abc import Iterable, Mapping

from mega_collector.collector.finding.roster import Facts, Identity


class Outputs:
    """Knows them by device and inode, as the aggregator has named them; and by the names under which they are found.

    For one that others have renamed is still one, and what the aggregator makes anew in its place has its name.
    """

    def __init__(self) -> None:
        self._files: dict[Identity, bool] = {}
        """Whether the last scan has found it."""
        self._names: set[bytes] = set()

    def name(self, identities: Iterable[Identity]) -> None:
        """The aggregator says what it writes to now."""
        self._names.clear()
        self._files.update(dict.fromkeys(identities, True))

    def among(self, files: Mapping[bytes, Facts | None]) -> list[bytes]:
        """The names that are those of outputs. What was found by them is an output from then on."""
        paths = []
        for path, facts in files.items():
            if facts is None:
                continue
            identity = facts.device, facts.inode
            if identity in self._files or path in self._names:
                self._files[identity] = True
                self._names.add(path)
                paths.append(path)
        return paths

    def forget_missing(self, files: Mapping[bytes, Facts]) -> None:
        """Forget what this scan and the one before did not find: its inode may be that of another file soon.

        One scan alone may miss a file that is renamed meanwhile.
        """
        if self._files:
            found = {(facts.device, facts.inode) for facts in files.values()}
            self._files = {each: each in found for each, before in self._files.items() if before or each in found}
