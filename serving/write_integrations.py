"""Writes what administrators deploy: `python -m serving.write_integrations FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lossnlp.taxonomy import Taxonomy, get_default_taxonomy
from serving.app import create_app
from serving.crm.fields import CrmWords, FieldMap
from serving.crm.hubspot_definitions import hubspot_files
from serving.crm.salesforce_flow import FlatOperation
from serving.crm.salesforce_metadata import salesforce_files
from serving.openapi_30 import describe_api_30
from serving.settings import Settings


def flat_operation() -> FlatOperation:
    """Gives the flat call as the service itself describes it."""
    app = create_app(Settings(database_url="sqlite://", crm=None, crm_words=None))
    return FlatOperation.of(describe_api_30(app.openapi(), only="flat"))


def integration_files(taxonomy: Taxonomy, operation: FlatOperation) -> dict[str, str]:
    """Gives path and text of each generated file.

    Args:
        taxonomy: The reasons and elements.
        operation: The call that Salesforce registers.
    """
    hubspot = hubspot_files(FieldMap(taxonomy, CrmWords()).specs())
    salesforce = salesforce_files(taxonomy, operation)
    return {
        **{f"hubspot/{path}": text for path, text in hubspot.items()},
        **{f"salesforce/{path}": text for path, text in salesforce.items()},
    }


def write_integrations(
    folder: Annotated[Path, typer.Argument(help="Folder to write to; other files in it stay as they are.")],
) -> None:
    """Writes the files for HubSpot and Salesforce."""
    for path, text in integration_files(get_default_taxonomy(), flat_operation()).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    typer.run(write_integrations)
