"""When it is said that a certificate comes to its end: a machine."""

DAY = 86_400.0

_DAYS = (30, 7, 1)


class Expiry:
    """Says so 30, 7 and 1 days before the end, once each: the nearest alone where several have passed.

    Times are seconds since the epoch.
    """

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self._told: float = _DAYS[0] + 1

    def due(self, now: float) -> int | None:
        """Whole days that are left, if that is to be said now; 0: less than one."""
        left = (self.ends - now) / DAY
        reached = [days for days in _DAYS if left <= days]
        if left <= 0 or not reached or reached[-1] >= self._told:
            return None
        self._told = reached[-1]
        return int(left)

    def over(self, now: float) -> bool:
        """Whether the end has come, and that is to be said now."""
        if now < self.ends or self._told <= 0:
            return False
        self._told = 0
        return True
