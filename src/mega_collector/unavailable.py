"""Why the aggregator cannot be reached, in words that tell an operator which side to mend.

gRPC calls almost everything UNAVAILABLE; only the details differ, and `wait_for_ready` hides even those. The phrases
are those of grpcio 1.85; tests bring them about for real.
"""

import grpc

_REFUSED_CERTIFICATE = (
    "the aggregator ended the connection during the handshake: it refused this collector's certificate "
    "(expired, or not signed by AGGREGATOR_TLS_CA_CERTIFICATE); its own log says why"
)
_WANTS_TLS = (
    "the other side ended the connection before a word was said: "
    "if the aggregator uses TLS, set COLLECTOR_TLS=1 here; else look into its log"
)
_EITHER = (
    "the aggregator ended the connection while it was made: either it uses TLS and this collector does not "
    "(COLLECTOR_TLS=1), or it refused this collector's certificate; its own log says which"
)

# The first whose phrase occurs in the details wins.
_CAUSES = {
    "certificate has expired": (
        "the aggregator's certificate has expired: "
        "renew AGGREGATOR_TLS_CERTIFICATE there, or check this machine's clock"
    ),
    "certificate is not yet valid": (
        "the aggregator's certificate is not valid yet: "
        "check this machine's clock, and AGGREGATOR_TLS_CERTIFICATE there"
    ),
    "CERTIFICATE_VERIFY_FAILED": (
        "the aggregator's certificate is not signed by COLLECTOR_TLS_CA_CERTIFICATE: "
        "give here the CA that signed AGGREGATOR_TLS_CERTIFICATE"
    ),
    "Hostname Verification Check failed": (
        "the aggregator's certificate is for another name than the one in COLLECTOR_REMOTE_ADDRESS: "
        "set COLLECTOR_TLS_SERVER_NAME to a name that it holds, or give the aggregator a certificate for this one"
    ),
    "WRONG_VERSION_NUMBER": (
        "this collector uses TLS and the other side does not: set AGGREGATOR_TLS=1 there, or COLLECTOR_TLS=0 here"
    ),
    "Failed to create security handshaker": (
        "gRPC cannot use this collector's own TLS material: "
        "check COLLECTOR_TLS_CA_CERTIFICATE, COLLECTOR_TLS_CERTIFICATE and COLLECTOR_TLS_KEY"
    ),
    "Connection refused": "nothing listens at COLLECTOR_REMOTE_ADDRESS: start the aggregator, or mend the address",
    "No such file or directory": (
        "there is no such socket as COLLECTOR_REMOTE_ADDRESS names: start the aggregator, or mend the path"
    ),
    "Permission denied": (
        "this process may not open the socket that COLLECTOR_REMOTE_ADDRESS names: check its owner and mode"
    ),
    "Domain name not found": ("the host in COLLECTOR_REMOTE_ADDRESS has no address: mend the name, or check the DNS"),
    "errors resolving": "the host in COLLECTOR_REMOTE_ADDRESS could not be looked up: check the DNS",
    "No route to host": "the network has no way to COLLECTOR_REMOTE_ADDRESS: check routes and firewalls",
    "Network is unreachable": "the network has no way to COLLECTOR_REMOTE_ADDRESS: check routes and firewalls",
    "SETTINGS frame": (
        "something takes connections at COLLECTOR_REMOTE_ADDRESS but does not speak gRPC: "
        "mend the address, or look whether the aggregator hangs"
    ),
}


_TLS = (
    "CERTIFICATE_VERIFY_FAILED",
    "Hostname Verification Check failed",
    "WRONG_VERSION_NUMBER",
    "security handshaker",
)

_REFUSALS = {
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.INVALID_ARGUMENT,
}


def needs_a_person(details: str | None, code: grpc.StatusCode) -> bool:
    """Whether trying again cannot help before somebody mends something."""
    return code in _REFUSALS or any(phrase in (details or "") for phrase in _TLS)


def explain(details: str | None, code: grpc.StatusCode, *, tls: bool | None = None) -> str | None:
    """Say in one line why a call to the aggregator failed and what to do; None where gRPC's own words must do.

    `tls` is whether this side uses it, which tells apart what gRPC reports alike; None: not known.
    """
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return (
            "what answers at COLLECTOR_REMOTE_ADDRESS is no aggregator, or an older one: mend the address, or update it"
        )
    if code is grpc.StatusCode.PERMISSION_DENIED:
        return f"the aggregator refuses this collector: {details or 'it does not say why'}"
    if code is not grpc.StatusCode.UNAVAILABLE:
        return None
    details = details or ""
    # A connection that stood and then broke is told in the same words, but for 'failed to connect'.
    if "failed to connect" in details and ("Socket closed" in details or "Connection reset by peer" in details):
        return {True: _REFUSED_CERTIFICATE, False: _WANTS_TLS, None: _EITHER}[tls]
    return next((words for phrase, words in _CAUSES.items() if phrase in details), None)
