from __future__ import annotations

import re

import pytest

from app.pages.site import STATIC

TEXT_ON_GROUND = [
    ("ink", "paper"),
    ("ink", "panel"),
    ("ink", "accent-soft"),
    ("soft", "paper"),
    ("soft", "panel"),
    ("link", "paper"),
    ("link", "panel"),
    ("visited", "paper"),
    ("visited", "panel"),
    ("accent", "paper"),
    ("accent", "panel"),
    ("accent-ink", "accent"),
    ("note", "note-soft"),
    ("note", "paper"),
    ("bad", "paper"),
]


def palettes() -> list[dict[str, str]]:
    css = (STATIC / "style.css").read_text("utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.S)
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(("text", "ground"), TEXT_ON_GROUND)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out_from_its_ground(mode: str, text: str, ground: str) -> None:
    light, dark = palettes()
    palette = light if mode == "light" else light | dark
    assert contrast(palette[text], palette[ground]) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_focus_and_field_borders_are_visible(mode: str) -> None:
    light, dark = palettes()
    palette = light if mode == "light" else light | dark
    for colour in ("focus", "soft"):
        assert contrast(palette[colour], palette["paper"]) >= 3
