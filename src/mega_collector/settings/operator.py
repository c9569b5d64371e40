"""The settings of whoever looks at an aggregator from another machine."""

# ruff: noqa: RUF009 - the calls return dataclass fields

from dataclasses import dataclass
from typing import ClassVar

from mega_collector.address import Address
from mega_collector.errors import SettingError
from mega_collector.settings import kinds
from mega_collector.settings.declaration import optional
from mega_collector.settings.pem import PEM_AT_START


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """What `top` and `tap` are told. Without an address they look at what runs on this machine.

    Raises:
        SettingError: there is an address, and something is missing that it needs.
    """

    prefix: ClassVar[str] = "MEGA_COLLECTOR_OPERATOR_"

    address: Address | None = optional(
        kinds.REMOTE_ADDRESS, "the AGGREGATOR_OPERATOR_ADDRESS of an aggregator on another machine"
    )
    tls_certificate: bytes | None = optional(PEM_AT_START, "your certificate")
    tls_key: bytes | None = optional(PEM_AT_START, "the certificate's key", secret=True)
    tls_ca_certificate: bytes | None = optional(
        PEM_AT_START, "the CA that must have signed the aggregator's certificate"
    )
    tls_server_name: str | None = optional(
        kinds.NAME, "the name to expect in the aggregator's certificate, where its address differs"
    )

    def __post_init__(self) -> None:
        if self.address is None:
            return
        for name in ("tls_certificate", "tls_key", "tls_ca_certificate"):
            if getattr(self, name) is None:
                variable = self.prefix + name.upper()
                raise SettingError(variable, f"is not set, but {self.prefix}ADDRESS is, which needs it; set it")
