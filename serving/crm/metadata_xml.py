"""Salesforce metadata as text: nested names and values in, one XML file out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias
from xml.etree.ElementTree import Element, SubElement, indent, tostring

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
Node: TypeAlias = "tuple[str, str | Sequence[Node]]"


def render(kind: str, nodes: Sequence[Node]) -> str:
    """Gives the text of a metadata file.

    Args:
        kind: The metadata type, such as `CustomField`.
        nodes: Its elements in order, each a name with a text or with elements of its own.
    """
    root = Element(kind, xmlns=NAMESPACE)
    _fill(root, nodes)
    indent(root, space="    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def leaves(values: Mapping[str, object]) -> list[Node]:
    """Gives one element a value; truth values in Salesforce's spelling."""
    return [(name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in values.items()]


def _fill(parent: Element, nodes: Sequence[Node]) -> None:
    for name, content in nodes:
        child = SubElement(parent, name)
        if isinstance(content, str):
            child.text = content
        else:
            _fill(child, content)
