"""Configuration: load, validate, explain where each value came from, redact (layer: beside journal and devices).

The schema itself is `pos_agent.domain.config`; the shipped data is the top-level folder `config/`.
"""

from pos_agent.settings.data import DataFinder
from pos_agent.settings.explain import ExplainedValue, explain
from pos_agent.settings.load import Layer, LoadedConfig, changed_keys, load_config
from pos_agent.settings.salvage import salvage_config

__all__ = [
    "DataFinder",
    "ExplainedValue",
    "Layer",
    "LoadedConfig",
    "changed_keys",
    "explain",
    "load_config",
    "salvage_config",
]
