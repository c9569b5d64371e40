"""What an attempt is given: TLS material as settings, sound or spoilt; state of another time."""

from pathlib import Path

from cryptography.hazmat.primitives import serialization

from certificates import Material
from mega_collector.collector.state.checkpoint import Checkpoint
from mega_collector.collector.state.record import Edge, encode


def tls(material: Material, **changed: str) -> dict[str, str]:
    """The settings of one side, as PEM text, without prefix."""
    return {
        "tls": "1",
        "tls_certificate": material.certificate.decode(),
        "tls_key": material.key.decode(),
        "tls_ca_certificate": material.ca.decode(),
        **changed,
    }


def encrypted(key: bytes) -> str:
    """The same key behind a password."""
    loaded = serialization.load_pem_private_key(key, None)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return loaded.private_bytes(*kinds, serialization.BestAvailableEncryption(b"password")).decode()


def make_newer(state: Path) -> None:
    """Let a state directory hold a collector's checkpoint of a newer version."""
    Checkpoint(state).close()
    (state / "checkpoint").write_bytes(encode(Edge("id", end=False, version=99)) + b"and what only it knows\n")
