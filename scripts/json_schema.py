#!/usr/bin/env python3
"""The JSON Schema of `flowtop --json`, made of the fields that the programs declare: docs/flowtop.schema.json.

python scripts/json_schema.py > docs/flowtop.schema.json
"""

import json
import sys
from typing import Any, Final

from flowtopd.wire.fields import FLOW_FIELDS, GROUP_FIELDS, VIEW_FIELDS, Field, Kind
from flowtopd.wire.messages import Events, View

_TYPES: Final[dict[Kind, dict[str, Any]]] = {
    Kind.TEXT: {"type": ["string", "null"]},
    Kind.INT: {"type": ["integer", "null"]},
    Kind.FLOAT: {"type": ["number", "null"]},
    Kind.BOOL: {"type": ["boolean", "null"]},
    Kind.LIST: {"type": ["array", "null"], "items": {"type": "string"}},
}
_COUNT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0}


def _object(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), **more}


def _row(fields: list[Field]) -> dict[str, Any]:
    properties = {field.name: {**_TYPES[field.kind], "description": field.doc} for field in fields}
    return _object(properties, additionalProperties=False)


def schema() -> dict[str, Any]:
    """The schema of one line."""
    groups = {field.name: field for field in GROUP_FIELDS}
    status = {
        **dict.fromkeys(("flows", "matched", "events_lost", "resets", "viewers"), _COUNT),
        "max": {"type": ["integer", "null"]},
        **{name: {"type": "boolean"} for name in ("accounting", "timestamps")},
        "events": {"enum": [*Events, None]},
        "tick_seconds": {"type": "number"},
    }
    totals = {
        **{name: {"type": ["number", "null"]} for name in ("orig_rate", "reply_rate")},
        **{name: {"type": ["integer", "null"]} for name in ("orig_bytes", "reply_bytes")},
    }
    head = {
        "time": {"type": "number", "description": "Unix seconds"},
        "seq": {"type": "integer"},
        "interval": {"type": ["number", "null"], "description": "seconds between the two samples of the rates"},
        "host": {"type": "string"},
        "view": {"enum": list(View)},
        "status": _object(status),
        "totals": _object(totals),
    }
    views = [
        {
            "if": {"properties": {"view": {"const": view}}},
            "then": {
                "properties": {
                    "flows" if view is View.FLOWS else "groups": {
                        "type": "array",
                        "items": _row(list(FLOW_FIELDS) if view is View.FLOWS else [groups[name] for name in names]),
                    }
                },
                "required": ["flows" if view is View.FLOWS else "groups"],
            },
        }
        for view, names in VIEW_FIELDS.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flowtop --json: one line",
        **_object(head, allOf=views),
    }


if __name__ == "__main__":
    json.dump(schema(), sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")
