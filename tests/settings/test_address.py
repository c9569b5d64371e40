import pytest
from hypothesis import given, strategies as st

from mega_collector.address import MAX_SOCKET_PATH, Address


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("localhost:0", "localhost:0"),
        ("logs_1.example:65535", "logs_1.example:65535"),
        ("[::1]:8000", "[::1]:8000"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("unix:a.sock", "unix:a.sock"),
        ("unix:/run/a b%41?#é", "unix:/run/a%20b%2541%3F%23%C3%A9"),
    ],
)
def test_an_address_is_read_and_told_to_grpc(text: str, target: str) -> None:
    address = Address.parse(text)
    assert str(address) == text
    assert address.target == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8000",
        ":8000",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:-1",
        "localhost:65536",
        "localhost:000001",
        "localhost:٣",
        "::1:8000",
        "[::1]",
        "[nonsense]:1",
        "[127.0.0.1]:1",
        "1.2.3:8000",
        "256.0.0.1:8000",
        "http://localhost:8000",
        "a b:1",
        "a/b:1",
        "-a:1",
        "unix:",
        "unix:\0a",
        "unix:/" + MAX_SOCKET_PATH * "é",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Address.parse(text)


@pytest.mark.parametrize("text", ["localhost:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/a"])
def test_loopback_and_unix_sockets_are_local(text: str) -> None:
    assert Address.parse(text).is_local


@pytest.mark.parametrize("text", ["10.0.0.1:1", "example.org:1", "[2001:db8::1]:1", "0.0.0.0:1", "localhost.example:1"])
def test_others_are_not(text: str) -> None:
    assert not Address.parse(text).is_local


@given(st.text(max_size=30) | st.text(alphabet="unix:[]0123456789./a", max_size=30))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert Address.parse(str(address)) == address
