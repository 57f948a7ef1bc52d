"""Finds the connector that the settings name."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import cast

from lossnlp.taxonomy import Taxonomy
from serving.crm.fields import FieldMap, read_words
from serving.crm.protocol import Crm
from serving.errors import ConfigurationError
from serving.settings import Settings

_CONNECTORS = ("bottlecrm", "demo", "hubspot", "salesforce", "tryton")


def crm_names() -> list[str]:
    """Gives the names that `LOSSNLP_CRM` may hold: one for each connector file."""
    there = {module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])}
    return [name for name in _CONNECTORS if name in there]


def connect_crm(settings: Settings) -> Crm:
    """Gives the connected CRM.

    Raises:
        ConfigurationError: No CRM is set, or one that has no connector.
    """
    if settings.crm not in crm_names():
        message = f"LOSSNLP_CRM is {settings.crm or 'not set'}; set it to one of: {', '.join(crm_names())}."
        raise ConfigurationError(message, field="LOSSNLP_CRM")
    return cast("Crm", import_module(f"serving.crm.{settings.crm}").connect(settings))


def read_field_map(settings: Settings, taxonomy: Taxonomy) -> FieldMap:
    """Gives the translation between our fields and those of the company's CRM, from the file that the settings name.

    Args:
        settings: What the installation has set.
        taxonomy: The reasons and elements that can be written.

    Raises:
        ConfigurationError: The mapping file cannot be used.
    """
    return FieldMap(taxonomy, read_words(settings.crm_words))
