"""Whether alerts could get out. Nobody is alerted: the key is not used."""

import httpx2

from mega_collector.check.finding import Finding
from mega_collector.check.ground import DEADLINE
from mega_collector.emitter.configuration import NotifyConfiguration
from mega_collector.emitter.events_api import EventsApi
from mega_collector.errors import SettingError

_NOT_TRIED = (
    "the integration key was not tried, since that would alert somebody; "
    "if it is wrong, the aggregator's log says notify_refused at the first delivery after a start"
)


def check_alerts(configuration: NotifyConfiguration) -> Finding:
    """Connect to where events are sent, by the proxy and the certificates that the environment names."""
    try:
        EventsApi(configuration).close()
    except SettingError as error:
        return Finding(False, f"PagerDuty: {error}")
    try:
        with httpx2.Client(timeout=DEADLINE) as client:
            # Not the address of events, and not a method that makes any.
            client.head(configuration.url)
    except httpx2.HTTPError as error:
        return Finding(
            False,
            f"PagerDuty: no connection to {configuration.url}: {' '.join(str(error).split()) or type(error).__name__}: "
            "check the DNS, firewalls, and HTTPS_PROXY",
        )
    return Finding(True, f"PagerDuty: {configuration.url} answers; {_NOT_TRIED}", look=True)
