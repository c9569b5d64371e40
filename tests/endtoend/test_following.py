"""Two processes: what happens to files, and that every line of theirs stands in the destination once."""

from harness.site import Site


def test_files_that_are_there_and_files_that_appear_later(site: Site) -> None:
    early = site.writer("early.log")
    early.write(1000)
    site.aggregator()
    site.collector()
    site.assert_delivered()
    late = site.writer("late.log")
    late.write(500)
    early.write(10)
    site.assert_delivered()


def test_renamed_away_and_created_anew_faster_than_anyone_looks(site: Site) -> None:
    site.aggregator()
    site.collector(paths=str(site.logs / "a.log*"))
    writer = site.writer()
    for number in range(5):
        writer.write(100)
        writer.rotate(site.logs / f"a.log.{number}")
    writer.write(100)
    site.assert_delivered()


def test_renamed_out_of_the_pattern_with_a_tail_that_was_not_read(site: Site) -> None:
    aggregator, collector = site.aggregator(), site.collector()
    writer = site.writer()
    for number in range(3):
        collector.wait_for("file_followed", count=number + 1)
        aggregator.freeze()
        writer.write(100)
        writer.rotate(site.logs / f"a.{number}", reopen=False)
        writer.write(100)
        writer.reopen()
        aggregator.thaw()
    writer.write(100)
    site.assert_delivered()
