"""Whether alerts could get out. Nobody is alerted."""

import uuid
from dataclasses import replace

from mega_collector.check.finding import Finding
from mega_collector.check.ground import DEADLINE
from mega_collector.emitter.configuration import NotifyConfiguration
from mega_collector.emitter.events_api import EventsApi, explain
from mega_collector.emitter.incident import Action, Event, Verdict
from mega_collector.errors import SettingError


def check_alerts(configuration: NotifyConfiguration) -> Finding:
    """Resolve an incident that is not there: PagerDuty looks at the key, and drops what it has no incident for."""
    nothing = replace(configuration, incident_key=f"mega-collector-check/{uuid.uuid4()}")
    try:
        api = EventsApi(nothing, deadline=DEADLINE)
    except SettingError as error:
        return Finding(False, f"PagerDuty: {error}")
    try:
        answer = api.send(Event(Action.RESOLVE))
    finally:
        api.close()
    if answer.verdict is Verdict.ACCEPTED:
        return Finding(True, f"PagerDuty: {configuration.url} takes the integration key; nobody was alerted")
    return Finding(False, f"PagerDuty: at {configuration.url}: {explain(answer)}")
