"""What each role looks like, in a light and in a dark theme. Imports nothing.

The law: colour is never the only sign. What a colour says, a word, a dash or a sign says too, and the fills differ
enough in brightness for a print in black and white.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """Fill and stroke of a box, or the fill of a text, or the stroke of a wire; empty: none."""

    fill: str = ""
    stroke: str = ""
    line: float = 1.5


#: role: (light, dark). Prints and PNG files are light.
LOOKS: dict[str, tuple[Look, Look]] = {
    "card": (Look("#fcfcfa"), Look("#16191d")),
    "host": (Look("#eef1f5", "#a9b4c2", 1.5), Look("#20252c", "#566273", 1.5)),
    "netns": (Look("#ffffff", "#7b8da3", 1.5), Look("#12161a", "#7f90a5", 1.5)),
    "parent": (Look("#1d4e79", "#143a5c", 1.5), Look("#2f6ea5", "#74a9d8", 1.5)),
    "vlan": (Look("#3f729b", "#143a5c", 1.5), Look("#285577", "#74a9d8", 1.5)),
    "nic": (Look("#d5dde7", "#6f8096", 1.5), Look("#333d49", "#7f90a5", 1.5)),
    "ipvlan": (Look("#d6e6f4", "#1d4e79", 1.5), Look("#1d3a54", "#74a9d8", 1.5)),
    "macvlan": (Look("#fbe6c6", "#9c5a10", 1.5), Look("#4a3413", "#e0a65c", 1.5)),
    "off": (Look("#ffffff", "#77808c", 1.5), Look("#16191d", "#8b95a1", 1.5)),
    "switch": (Look("#4a5360", "#333a44", 1.5), Look("#454e5a", "#8b95a1", 1.5)),
    "port": (Look("#f7d774", "#333a44", 1.5), Look("#d9b64a", "#16191d", 1.5)),
    "pill": (Look("#ffffff", "#56616f", 1.2), Look("#16191d", "#8b95a1", 1.2)),
    "verdict-reply": (Look("#e0f4e4", "#2c7a45", 1.2), Look("#1c3f28", "#5fb57b", 1.2)),
    "verdict-silence": (Look("#dce0e5", "#6b7683", 1.2), Look("#2a3038", "#8b95a1", 1.2)),
    "verdict-refusal": (Look("#f6cba3", "#a04e0a", 1.2), Look("#4a2d14", "#e0a065", 1.2)),
    "verdict-unknown": (Look("#e8e0f7", "#6a4bb0", 1.2), Look("#2f2649", "#a58be0", 1.2)),
    "verdict-none": (Look("#f4f5f4"), Look("#1d2126")),
    "loud": (Look("", "#c4201a", 3.5), Look("", "#ff6f66", 3.5)),
    "series-ipvlan": (Look("", "#1d4e79"), Look("", "#74a9d8")),
    "series-macvlan": (Look("", "#b0640f"), Look("", "#e0a65c")),
    "dot-ipvlan": (Look("#ffffff", "#1d4e79", 2), Look("#16191d", "#74a9d8", 2)),
    "dot-macvlan": (Look("#ffffff", "#b0640f", 2), Look("#16191d", "#e0a65c", 2)),
    "limit": (Look("", "#c4201a"), Look("", "#ff6f66")),
    "grid": (Look("", "#dfe3e7"), Look("", "#2c323a")),
    "path-arp": (Look("", "#8a2fa8"), Look("", "#d79bee")),
    "path-request": (Look("", "#c8460b"), Look("", "#ffa06b")),
    "path-reply": (Look("", "#1f7a3a"), Look("", "#74d193")),
    "halo": (Look("", "#ffffff"), Look("", "#0d1013")),
    "badge-arp": (Look("#8a2fa8", "#ffffff", 2), Look("#e5bdf5", "#0d1013", 2)),
    "badge-request": (Look("#c8460b", "#ffffff", 2), Look("#ffc2a0", "#0d1013", 2)),
    "badge-reply": (Look("#1f7a3a", "#ffffff", 2), Look("#9fe0b5", "#0d1013", 2)),
    "badge-text": (Look("#ffffff"), Look("#0d1013")),
    "seen": (Look("#ffffff", "#15202b", 2.2), Look("#0d1013", "#e9eef3", 2.2)),
    "now": (Look("", "#c4201a", 3.5), Look("", "#ff6f66", 3.5)),
    "wire": (Look("", "#56616f"), Look("", "#97a3b1")),
    "text": (Look("#15202b"), Look("#e9eef3")),
    "muted": (Look("#4b5866"), Look("#aeb9c5")),
    "on-dark": (Look("#ffffff"), Look("#ffffff")),
    "pill-text": (Look("#15202b"), Look("#e9eef3")),
    "ipvlan-text": (Look("#143a5c"), Look("#cfe3f5")),
    "macvlan-text": (Look("#6b3c07"), Look("#f6dcb4")),
    "off-text": (Look("#56616f"), Look("#aeb9c5")),
    "changed": (Look("#5b2a86"), Look("#d3b4f0")),
    "alarm": (Look("#a3221c"), Look("#ff9a92")),
}
