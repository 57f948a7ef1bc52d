"""What an administrator of HubSpot creates: our fields as one request to its properties API."""

from __future__ import annotations

import json
from collections.abc import Sequence

from serving.crm.hubspot_fields import new_property
from serving.crm.protocol import FieldSpec

_GROUP = "dealinformation"


def hubspot_files(specs: Sequence[FieldSpec]) -> dict[str, str]:
    """Gives path and text of each file; `properties.json` is the body that creates every field that the connector writes.

    Args:
        specs: The fields, under HubSpot's names.

    Source: HubSpot, "Properties API", batch create.
    """
    body = {"inputs": [new_property(spec, _GROUP) for spec in specs]}
    return {"properties.json": json.dumps(body, indent=2, ensure_ascii=False) + "\n"}
