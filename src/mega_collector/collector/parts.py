"""What a tailer is made of."""

from collections.abc import Callable

from mega_collector.collector.finding.finder import Finder
from mega_collector.collector.inventories import Inventories
from mega_collector.collector.laggards import Laggards
from mega_collector.collector.once import Once
from mega_collector.collector.reading.crowd import Crowd
from mega_collector.collector.reading.file import Filesystem
from mega_collector.collector.reading.followed import Followed
from mega_collector.collector.reading.follower import Follower
from mega_collector.collector.reading.open_files import OpenFiles
from mega_collector.collector.reading.siblings import Siblings
from mega_collector.collector.recognition.ages import Ages
from mega_collector.collector.recognition.copies import Copies
from mega_collector.collector.recognition.remembered import Remembered
from mega_collector.collector.rotation.archives import Archives
from mega_collector.collector.rotation.departures import Departures
from mega_collector.collector.rotation.failures import Failures
from mega_collector.collector.rotation.held_copies import HeldCopies
from mega_collector.collector.rotation.left_copies import LeftCopies
from mega_collector.collector.rotation.missed import Missed
from mega_collector.collector.rotation.newcomers import Newcomers
from mega_collector.collector.rotation.rewrites import Rewrites
from mega_collector.collector.rotation.search import Search
from mega_collector.collector.rotation.waiting import WaitingFiles
from mega_collector.collector.sending.shipper import Shipper
from mega_collector.collector.sources.endings import Endings
from mega_collector.collector.sources.losses import Losses
from mega_collector.collector.sources.recollected import Recollected
from mega_collector.collector.sources.sources import Sources
from mega_collector.collector.sources.starts_at_end import StartsAtEnd
from mega_collector.collector.sources.turns import Turns
from mega_collector.collector.sources.unsettled import Unsettled
from mega_collector.collector.state.recollection import Recollection
from mega_collector.collector.tailer_options import TailerOptions
from mega_collector.protocol import Hello


class Parts:
    """Makes them, and makes them known to each other: each knows only what was made before it."""

    def __init__(
        self,
        *,
        options: TailerOptions,
        hello: Hello,
        finder: Finder,
        shipper: Shipper,
        remembered: Remembered,
        disk: Filesystem,
        clock: Callable[[], float],
    ) -> None:
        self._shipper = shipper
        self.followed = Followed()
        self.recollection = Recollection()
        self.losses = Losses(shipper, self.recollection)
        self.siblings = Siblings(disk)
        self.files = OpenFiles(
            limit=options.max_open_files, expendable=self._expendable, disk=disk, siblings=self.siblings
        )
        unsettled = Unsettled()
        ages = Ages(files=self.files, siblings=self.siblings)
        copies = Copies(
            followed=self.followed,
            remembered=remembered,
            files=self.files,
            siblings=self.siblings,
            ages=ages,
            matches=finder.matches,
            starts=unsettled.starts,
        )
        self.endings = Endings(
            hello=hello,
            remembered=remembered,
            unsettled=unsettled,
            shipper=shipper,
            losses=self.losses,
            recollection=self.recollection,
        )
        self.sources = Sources(
            hello=hello,
            rotate_wait=options.rotate_wait,
            followed=self.followed,
            files=self.files,
            remembered=remembered,
            copies=copies,
            unsettled=unsettled,
            shipper=shipper,
            losses=self.losses,
            recollection=self.recollection,
            endings=self.endings,
        )
        starts_at_end = StartsAtEnd(
            max_line_size=options.max_line_size,
            remembered=remembered,
            unsettled=unsettled,
            shipper=shipper,
            losses=self.losses,
            recollection=self.recollection,
            endings=self.endings,
        )
        recollected = Recollected(
            followed=self.followed,
            files=self.files,
            remembered=remembered,
            copies=copies,
            unsettled=unsettled,
            shipper=shipper,
            losses=self.losses,
            sources=self.sources,
        )
        self.turns = Turns(files=self.files, shipper=shipper, max_line_size=options.max_line_size, once=options.once)
        self.waiting = WaitingFiles(finder=finder, files=self.files, copies=copies)
        self.archives = Archives(
            finder=finder,
            followed=self.followed,
            files=self.files,
            ages=ages,
            remembered=remembered,
            shipper=shipper,
            sources=self.sources,
            endings=self.endings,
            losses=self.losses,
            waiting=self.waiting,
            rotate_wait=options.rotate_wait,
        )
        left_copies = LeftCopies(
            finder=finder,
            siblings=self.siblings,
            remembered=remembered,
            sources=self.sources,
            starts_at_end=starts_at_end,
            archives=self.archives,
            copies=copies,
            losses=self.losses,
            waiting=self.waiting,
        )
        self.departures = Departures(
            finder=finder,
            files=self.files,
            siblings=self.siblings,
            shipper=shipper,
            sources=self.sources,
            endings=self.endings,
            turns=self.turns,
            left_copies=left_copies,
        )
        crowd = Crowd()
        self.failures = Failures(finder=finder, archives=self.archives, departures=self.departures, crowd=crowd)
        self.search = Search(
            finder=finder,
            files=self.files,
            disk=disk,
            siblings=self.siblings,
            remembered=remembered,
            sources=self.sources,
            endings=self.endings,
            recollected=recollected,
            archives=self.archives,
            departures=self.departures,
            crowd=crowd,
        )
        held_copies = HeldCopies(
            finder=finder,
            files=self.files,
            remembered=remembered,
            sources=self.sources,
            endings=self.endings,
            starts_at_end=starts_at_end,
            copies=copies,
            departures=self.departures,
            search=self.search,
            waiting=self.waiting,
            rotate_wait=options.rotate_wait,
            once=options.once,
        )
        self.missed = Missed(
            finder=finder,
            siblings=self.siblings,
            remembered=remembered,
            sources=self.sources,
            endings=self.endings,
            archives=self.archives,
            departures=self.departures,
            losses=self.losses,
            search=self.search,
            waiting=self.waiting,
            left_copies=left_copies,
        )
        self.newcomers = Newcomers(
            finder=finder,
            files=self.files,
            siblings=self.siblings,
            remembered=remembered,
            sources=self.sources,
            endings=self.endings,
            recollected=recollected,
            starts_at_end=starts_at_end,
            archives=self.archives,
            copies=copies,
            departures=self.departures,
            search=self.search,
            waiting=self.waiting,
            crowd=crowd,
            held_copies=held_copies,
            missed=self.missed,
            start_at_end=options.start_at_end,
            once=options.once,
        )
        self.rewrites = Rewrites(
            finder=finder,
            followed=self.followed,
            files=self.files,
            siblings=self.siblings,
            sources=self.sources,
            endings=self.endings,
            turns=self.turns,
            departures=self.departures,
            left_copies=left_copies,
            held_copies=held_copies,
            newcomers=self.newcomers,
            failures=self.failures,
        )
        self.inventories = Inventories(
            finder=finder,
            shipper=shipper,
            recollected=recollected,
            archives=self.archives,
            waiting=self.waiting,
            recollection=self.recollection,
            search=self.search,
            newcomers=self.newcomers,
            hurried=options.once,
        )
        self.laggards = Laggards(
            followed=self.followed,
            shipper=shipper,
            sources=self.sources,
            turns=self.turns,
            newcomers=self.newcomers,
            clock=clock,
        )
        self.once = Once(
            finder=finder,
            followed=self.followed,
            shipper=shipper,
            sources=self.sources,
            turns=self.turns,
            departures=self.departures,
            waiting=self.waiting,
            archives=self.archives,
            search=self.search,
            missed=self.missed,
            losses=self.losses,
            inventories=self.inventories,
        )

    def _expendable(self, follower: Follower) -> bool:
        """Whether a file can be closed and found again later."""
        return (
            follower.path is not None
            and not follower.complete
            and follower.lag == 0
            and self._shipper.acknowledged(follower.source)
        )
