"""Bad settings end the command with 2 and one line, before anything is opened or written."""

from pathlib import Path

import pytest

from starting.attempt import attempt

KEY = "0123456789abcdef0123456789ABCDEF"


@pytest.mark.case(99)
@pytest.mark.parametrize(
    ("arguments", "environ", "line"),
    [
        (
            ["aggregator"],
            {"AGGREGATOR_MAX_BATCH_SIZE": "0"},
            "AGGREGATOR_MAX_BATCH_SIZE: '0' is out of range; allowed: ",
        ),
        (["aggregator", "--max-batch-size=0"], {}, "AGGREGATOR_MAX_BATCH_SIZE: --max-batch-size '0' is out of range; "),
        (
            ["aggregator"],
            {"AGGREGATOR_TEXT_CONFIG": "1"},
            "AGGREGATOR_TEXT_CONFIG: is no setting; did you mean AGGREGATOR_TEXT_CONFIGURATION?",
        ),
        (["aggregator", "--tls"], {}, "AGGREGATOR_TLS_CERTIFICATE: is not set, but AGGREGATOR_TLS is 1"),
        (
            ["aggregator"],
            {"AGGREGATOR_NOTIFY_CONFIGURATION": KEY},
            "AGGREGATOR_NOTIFY_CONFIGURATION: the value is no JSON",
        ),
        (["collector"], {}, "COLLECTOR_PATHS: names no files"),
        (["collector", "a["], {}, "COLLECTOR_PATHS: --paths "),
        (["collector", "a", "--paths", "b"], {}, "Give paths as arguments or with --paths, not both."),
        (["collector", "a", "--start-at", "middle"], {}, "COLLECTOR_START_AT: --start-at 'middle' is not one"),
        (["check", "collector"], {}, "COLLECTOR_PATHS: names no files"),
        (["run"], {}, "Missing argument 'PATH...'."),
        (["run", "a["], {}, "PATH: 'a[' has a pattern with a [ that is never closed"),
        (["run", "a", "--nonsense"], {}, "No such option '--nonsense'"),
        (["nonsense"], {}, "No such command 'nonsense'"),
        (["run", "a", "--non\nsense"], {}, "No such option '--non"),
    ],
)
def test_bad_settings_are_one_line_and_exit_2(
    tmp_path: Path, arguments: list[str], environ: dict[str, str], line: str
) -> None:
    ended = attempt(*arguments, cwd=tmp_path, environ=environ)
    assert ended.code == 2
    assert ended.stderr.startswith("mega-collector: " + line)
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""
    assert KEY not in ended.stderr
    assert list(tmp_path.iterdir()) == []
