"""The colours and markers of every figure and table, once. Eight that people with any colour vision can tell apart.

A variant's colour is its index; markers and dashes differ too. LIGHT and DARK hold the same names, so that a figure
drawn with LIGHT can be re-coloured by name.
"""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p")
DASHES = ("-", "-", "-", "-", "--", "--", "--", "--")

LIGHT = {
    "ink": "#16202b",
    "soft": "#556270",
    "grid": "#dde3e9",
    "paper": "#ffffff",
    "card": "#fffffe",
    "reference": "#77808a",
    "v0": "#0069a8",
    "v1": "#c94f00",
    "v2": "#00805e",
    "v3": "#a8488f",
    "v4": "#866a00",
    "v5": "#3f4c9e",
    "v6": "#0b8296",
    "v7": "#7d4427",
    "p0": "#1f3b57",
    "p1": "#35607f",
    "p2": "#4d86a0",
    "p3": "#74a8b5",
    "p4": "#a3c6c8",
    "p5": "#cfe0dc",
    "p6": "#e6d3a8",
    "p7": "#c9a55c",
}
"""`card` is what figures stand on: white, under a name of its own.

Contrast with it is at least 3:1 for every v and reference, 4.5:1 for ink and soft.
"""

DARK = {
    "ink": "#e6ebf0",
    "soft": "#a4afbb",
    "grid": "#2e3843",
    "paper": "#14191f",
    "card": "#181e25",
    "reference": "#8b96a2",
    "v0": "#5fb4f2",
    "v1": "#ff9c57",
    "v2": "#45cf9f",
    "v3": "#e59ad2",
    "v4": "#e0c04a",
    "v5": "#a3aefc",
    "v6": "#55d0e0",
    "v7": "#d6a07e",
    "p0": "#cfe3f2",
    "p1": "#a5c8de",
    "p2": "#7cabc6",
    "p3": "#558da8",
    "p4": "#3a6f86",
    "p5": "#2b5365",
    "p6": "#8a7440",
    "p7": "#c2a055",
}


def variant_name(index: int) -> str:
    """The colour name of a variant; of what others published below 0."""
    return "reference" if index < 0 else f"v{index % len(MARKERS)}"


def marker(index: int) -> str:
    """Matplotlib's marker of a variant."""
    return MARKERS[(index if index >= 0 else -1 - index) % len(MARKERS)]


def dash(index: int) -> str:
    """Matplotlib's line style of a variant; dotted for what others published."""
    return ":" if index < 0 else DASHES[index % len(DASHES)]
