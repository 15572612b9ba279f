"""Configs: YAML with a place for every mistake, a schema, and a matrix that becomes cases."""

from harness.config.expand import expand
from harness.config.read import load_config, parse_config
from harness.config.say import labels
from harness.config.types import Config, Expansion

__all__ = ["Config", "Expansion", "expand", "labels", "load_config", "parse_config"]
