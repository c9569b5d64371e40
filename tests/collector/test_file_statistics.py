from mega_collector.collector.file_statistics import FileStatistics, file_samples


def test_files_of_one_name_or_of_names_that_look_alike_are_one() -> None:
    files = [
        FileStatistics(b"/a\xff", 10, 0, 10, seconds=3),
        FileStatistics(b"/a\\xff", 5, 0, 5),
        FileStatistics(b"/a\xff", 1, 0, 1, seconds=9),
    ]
    found = [(each.name.removeprefix("mega_collector_collector_file_"), each.value) for each in file_samples(files)]
    assert found == [("lag_bytes", 16), ("lag_seconds", 9)]


def test_an_age_that_is_not_known_is_not_shown() -> None:
    (sample,) = file_samples([FileStatistics(b"/a", 10, 4, 6)])
    assert (sample.value, sample.labels) == (6, {"path": "/a"})
