"""What both halves are told, by flags and environment variables."""

from mega_collector.settings.aggregator import AggregatorSettings
from mega_collector.settings.collector import CollectorSettings
from mega_collector.settings.load import Loaded, Origin, Source, load
from mega_collector.settings.operator import OperatorSettings
from mega_collector.settings.tls_fields import operator_material, refuse_collectors, tls_material

__all__ = [
    "AggregatorSettings",
    "CollectorSettings",
    "Loaded",
    "OperatorSettings",
    "Origin",
    "Source",
    "load",
    "operator_material",
    "refuse_collectors",
    "tls_material",
]
