"""What both halves are told, by flags and environment variables."""

from mega_collector.settings.aggregator import AggregatorSettings
from mega_collector.settings.collector import CollectorSettings
from mega_collector.settings.load import Loaded, Origin, Source, load
from mega_collector.settings.tls_fields import tls_material

__all__ = ["AggregatorSettings", "CollectorSettings", "Loaded", "Origin", "Source", "load", "tls_material"]
