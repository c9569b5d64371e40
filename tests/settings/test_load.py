from pathlib import Path

import pytest

from mega_collector.address import Address
from mega_collector.errors import SettingError
from mega_collector.settings import AggregatorSettings, CollectorSettings, Origin, Source, load
from mega_collector.settings.state_directory import state_directory
from settings.every_setting import KEY, PEM_TEXT

HOME = {"HOME": "/home/me"}
PATHS = HOME | {"COLLECTOR_PATHS": "/a"}


def test_a_flag_beats_the_variable_which_beats_the_default() -> None:
    environ = HOME | {"AGGREGATOR_MAX_BATCH_SIZE": "7", "AGGREGATOR_MAX_STREAMS": "8"}
    loaded = load(AggregatorSettings, environ, {"max_batch_size": "9"})
    assert (loaded.settings.max_batch_size, loaded.settings.max_streams, loaded.settings.retry_count) == (9, 8, 10)
    assert loaded.origins["max_batch_size"] == Origin(Source.FLAG, "9")
    assert loaded.origins["max_streams"] == Origin(Source.VARIABLE, "8")
    assert loaded.origins["retry_count"] == Origin(Source.DEFAULT, "10")


def test_a_bad_variable_does_not_matter_under_a_good_flag() -> None:
    environ = HOME | {"AGGREGATOR_MAX_BATCH_SIZE": "many"}
    assert load(AggregatorSettings, environ, {"max_batch_size": "9"}).settings.max_batch_size == 9


def test_a_variable_set_to_nothing_is_not_set() -> None:
    environ = HOME | {"AGGREGATOR_MAX_BATCH_SIZE": "", "AGGREGATOR_FILE_CONFIGURATION": "", "AGGREGATOR_TLS": ""}
    settings = load(AggregatorSettings, environ, {}).settings
    assert (settings.max_batch_size, settings.file_configuration, settings.tls) == (1000, None, False)


def test_a_flag_set_to_nothing_is_an_error_and_not_the_default() -> None:
    with pytest.raises(SettingError, match="--state-directory '' is empty"):
        load(AggregatorSettings, HOME, {"state_directory": ""})


def test_dead_letters_are_in_the_state_directory_unless_said_otherwise() -> None:
    def directory(**said: str) -> Path | None:
        return load(AggregatorSettings, HOME, said).settings.dead_letter_directory

    assert directory(state_directory="/s") == Path("/s/dead-letters")
    assert directory(state_directory="/s", dead_letter_directory="/d") == Path("/d")


def test_dead_letters_are_not_kept_where_the_variable_is_empty() -> None:
    loaded = load(AggregatorSettings, HOME | {"AGGREGATOR_DEAD_LETTER_DIRECTORY": ""}, {})
    assert loaded.settings.dead_letter_directory is None
    assert loaded.origins["dead_letter_directory"].source is Source.VARIABLE


def test_a_half_does_not_look_at_the_other_halfs_variables() -> None:
    environ = PATHS | {"AGGREGATOR_NONSENSE": "1", "COLLECTOR_MAX_LINE_SIZE": "8"}
    assert load(CollectorSettings, environ, {}).settings.max_line_size == 8


@pytest.mark.case(99)
@pytest.mark.parametrize(
    ("variable", "advice"),
    [
        ("AGGREGATOR_MAX_BATCHSIZE", "did you mean AGGREGATOR_MAX_BATCH_SIZE?"),
        ("AGGREGATOR_TSL_KEY", "did you mean AGGREGATOR_TLS_KEY?"),
        ("AGGREGATOR_", "unset it"),
        ("AGGREGATOR_XYZZY_PLUGH_QQ", "unset it"),
    ],
)
def test_an_unknown_variable_is_an_error_with_advice_and_without_its_value(variable: str, advice: str) -> None:
    with pytest.raises(SettingError) as caught:
        load(AggregatorSettings, HOME | {variable: KEY}, {})
    assert str(caught.value).startswith(f"{variable}: is no setting; {advice}")
    assert KEY not in str(caught.value)


def test_what_kubernetes_injects_is_none_of_ours() -> None:
    injected = {
        "AGGREGATOR_SERVICE_HOST": "10.0.0.11",
        "AGGREGATOR_SERVICE_PORT": "8000",
        "AGGREGATOR_SERVICE_PORT_GRPC_WEB": "8000",
        "AGGREGATOR_PORT": "tcp://10.0.0.11:8000",
        "AGGREGATOR_PORT_8000_TCP": "tcp://10.0.0.11:8000",
        "AGGREGATOR_PORT_8000_TCP_PROTO": "tcp",
        "AGGREGATOR_PORT_8000_TCP_PORT": "8000",
        "AGGREGATOR_PORT_8000_TCP_ADDR": "10.0.0.11",
        "AGGREGATOR_METRICS_SERVICE_HOST": "10.0.0.12",
        "AGGREGATOR_METRICS_PORT": "tcp://10.0.0.12:9000",
        "AGGREGATOR_METRICS_PORT_9000_UDP_ADDR": "10.0.0.12",
    }
    assert load(AggregatorSettings, HOME | injected, {}).settings == load(AggregatorSettings, HOME, {}).settings


@pytest.mark.parametrize("variable", ["AGGREGATOR_PORT", "AGGREGATOR_LISTEN_PORT", "AGGREGATOR_PORT_TCP"])
def test_a_port_that_kubernetes_did_not_write_is_a_typo(variable: str) -> None:
    with pytest.raises(SettingError, match=variable):
        load(AggregatorSettings, HOME | {variable: "8000"}, {})


@pytest.mark.case(82)
@pytest.mark.parametrize("missing", ["tls_certificate", "tls_key", "tls_ca_certificate"])
@pytest.mark.parametrize("half", [AggregatorSettings, CollectorSettings])
def test_tls_needs_certificate_key_and_ca(half: type[AggregatorSettings | CollectorSettings], missing: str) -> None:
    given = {"tls": "1", "tls_certificate": PEM_TEXT, "tls_key": PEM_TEXT, "tls_ca_certificate": PEM_TEXT}
    assert load(half, PATHS, given).settings.tls
    del given[missing]
    with pytest.raises(SettingError, match=f"^{half.prefix}{missing.upper()}: is not set"):
        load(half, PATHS, given)


def test_pem_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(PEM_TEXT)
    assert load(AggregatorSettings, HOME, {"tls_key": str(file)}).settings.tls_key == PEM_TEXT.encode()


def test_a_file_without_pem_is_named_and_not_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a long path would be shown in part
    Path("ca.pem").write_text(KEY)
    with pytest.raises(SettingError, match=r"'ca\.pem' names a file without PEM") as caught:
        load(AggregatorSettings, HOME, {"tls_ca_certificate": "ca.pem"})
    assert KEY not in str(caught.value)


def test_secrets_are_in_no_repr() -> None:
    secret = PEM_TEXT.replace("QUJD", KEY)
    notify = f'{{"integration_key": "{KEY}", "incident_key": "i", "identifier": "d"}}'
    settings = load(AggregatorSettings, HOME, {"tls_key": secret, "notify_configuration": notify}).settings
    assert KEY.encode() in (settings.tls_key or b"")
    assert KEY not in repr(settings)


def test_a_collector_without_paths_is_refused() -> None:
    for environ in (HOME, HOME | {"COLLECTOR_PATHS": ""}, HOME | {"COLLECTOR_PATHS": " \n"}):
        with pytest.raises(SettingError, match=r"^COLLECTOR_PATHS: names no files"):
            load(CollectorSettings, environ, {})


@pytest.mark.case(99)
def test_a_line_must_fit_the_window() -> None:
    assert load(CollectorSettings, PATHS, {"max_line_size": "1KiB", "window_size": "1KiB"}).settings.window_size == 1024
    with pytest.raises(SettingError, match=r"^COLLECTOR_MAX_LINE_SIZE: .* COLLECTOR_WINDOW_SIZE"):
        load(CollectorSettings, PATHS, {"max_line_size": "1KiB", "window_size": "1023"})


def test_host_is_always_among_the_tags() -> None:
    settings = load(CollectorSettings, PATHS | {"COLLECTOR_HOST": "web-1", "COLLECTOR_TAGS": "env=prod"}, {}).settings
    assert settings.tags == {"env": "prod", "host": "web-1"}
    assert load(CollectorSettings, PATHS, {}).settings.tags["host"]


def test_settings_made_by_hand_have_the_defaults() -> None:
    by_hand = CollectorSettings(paths=(b"/a",), remote_address=Address("b", 1))
    loaded = load(CollectorSettings, PATHS, {"remote_address": "b:1", "state_directory": str(by_hand.state_directory)})
    assert by_hand == loaded.settings


def test_state_is_kept_by_the_xdg_specification() -> None:
    def kept(user: int = 1000, **environ: str) -> str:
        return str(state_directory("aggregator", environ, user=user))

    assert kept(HOME="/h") == "/h/.local/state/mega-collector/aggregator"
    assert kept(HOME="/h", XDG_STATE_HOME="/x") == "/x/mega-collector/aggregator"
    assert kept(HOME="/h", XDG_STATE_HOME="relative") == "/h/.local/state/mega-collector/aggregator"
    assert kept(user=0, HOME="/h", XDG_STATE_HOME="/x") == "/var/lib/mega-collector/aggregator"


def test_a_user_without_a_home_has_to_say_where() -> None:
    with pytest.raises(ValueError, match="is not set, and neither is HOME"):
        state_directory("aggregator", {}, user=1000)


@pytest.mark.parametrize("text", ["a\nb\x1b[31m" + "\udcff", "x" * 100_000])
def test_an_error_is_one_short_printable_line_whatever_the_value(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        load(AggregatorSettings, HOME, {"max_batch_size": text})
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
