"""A figure made part of a page: colours become the page's names, styles become classes, ids become the figure's own.

A page under a content security policy allows no `style` attribute, so every distinct style gets a class in `Sheet`.
"""

import re
from xml.etree import ElementTree as ET

from harness.report.palette import LIGHT

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ET.register_namespace("", SVG)
# What matplotlib writes and a browser assumes anyway, or what the page's own font decides.
DEFAULTS = {
    "fill": "#000000",
    "stroke-width": "1",
    "stroke-linecap": "butt",
    "stroke-miterlimit": "4",
    "font-family": "",
}
PRECISION = re.compile(r"-?\d+\.\d{3,}")
NO_TURN = re.compile(r"^rotate\(-?0(?:\.0+)? ")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
NAMES = {value: name for name, value in LIGHT.items()}


class Sheet:
    """The classes of every figure of one page; equal styles share one."""

    def __init__(self) -> None:
        self._classes: dict[str, str] = {}

    def name(self, style: str) -> str:
        """The class for a style; "" for one that says nothing."""
        rule = ";".join(_declarations(style))
        return self._classes.setdefault(rule, f"f{len(self._classes)}") if rule else ""

    @property
    def css(self) -> str:
        """The rules, in the order first needed."""
        return "\n".join(f".{name}{{{rule}}}" for rule, name in self._classes.items())


def inline(document: str, key: str, alt: str, sheet: Sheet) -> str:
    """Matplotlib's SVG document as an element of a page, named by `alt`; ids start with `key`."""
    root = ET.fromstring(document.partition("?>")[2].partition('.dtd">')[2])  # noqa: S314  our own output
    _drop(root, "metadata")
    _drop(root, "style")
    for element in root.iter():
        _rename(element, key)
        _restyle(element, sheet)
    _tidy(root)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.set("role", "img")
    root.set("aria-label", alt)
    return ET.tostring(root, encoding="unicode", short_empty_elements=True)


def _declarations(style: str) -> list[str]:
    found = []
    for declaration in style.split(";"):
        name, _, value = declaration.strip().partition(":")
        name, value = name.strip(), value.strip()
        if not name or name == "font-family" or DEFAULTS.get(name) == value:
            continue
        found.append(f"{name}:{_colour(value)}")
    return found


def _colour(value: str) -> str:
    return f"var(--{NAMES[value]})" if value in NAMES else value


def _rename(element: ET.Element, key: str) -> None:
    if "id" in element.attrib:
        element.set("id", f"{key}-{element.get('id')}")
    target = element.attrib.pop(f"{{{XLINK}}}href", None)
    if target is not None:
        element.set("href", f"#{key}-{target[1:]}" if target.startswith("#") else target)
    clip = element.get("clip-path")
    if clip:
        element.set("clip-path", REFERENCE.sub(rf"url(#{key}-\1)", clip))


def _restyle(element: ET.Element, sheet: Sheet) -> None:
    style = element.attrib.pop("style", None)
    name = sheet.name(style) if style else ""
    if name:
        element.set("class", name)
    for attribute in ("d", "x", "y", "transform", "width", "height", "points"):
        value = element.get(attribute)
        if value is not None:
            short = PRECISION.sub(lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), value)
            element.set(attribute, " ".join(short.split()))
    if NO_TURN.match(element.get("transform", "")):
        del element.attrib["transform"]


def _drop(root: ET.Element, tag: str) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{SVG}}}{tag}":
                parent.remove(child)


def _tidy(root: ET.Element) -> None:
    """Groups without effect go, and with them the ids nobody refers to."""
    used = {element.get("href", "")[1:] for element in root.iter()}
    used |= {match for element in root.iter() for match in REFERENCE.findall(element.get("clip-path", ""))}
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        if element.text is not None and not element.text.strip():
            element.text = None
        element.tail = None
    _unwrap(root)


def _unwrap(element: ET.Element) -> None:
    children = []
    for child in element:
        _unwrap(child)
        if child.tag == f"{{{SVG}}}g" and not child.attrib:
            children += list(child)
        elif child.tag != f"{{{SVG}}}defs" or len(child):
            children.append(child)
    element[:] = children
