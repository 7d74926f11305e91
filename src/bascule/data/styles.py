"""The styles of the built-in faces, and DiceBear's options for each."""

from typing import Any

YELLOW_SKINS = ["#ffd90f", "#f8c80a", "#fbd34b", "#e0ac2b", "#c68a3a", "#9c6b30"]
SOFT_BACKGROUNDS = ["#7ec8e3", "#a8d8b9", "#f4b6c2", "#c9b6e4", "#f2e2c4", "#8fb8de"]
OPTIONS: dict[str, dict[str, Any]] = {
    "micah": {"baseColor": YELLOW_SKINS, "backgroundColor": SOFT_BACKGROUNDS},
    "adventurer": {
        "skinColor": YELLOW_SKINS,
        "backgroundColor": SOFT_BACKGROUNDS,
        "scale": 1.3,  # these faces are small in their frame
    },
    "open-peeps": {"backgroundColor": SOFT_BACKGROUNDS},
    "dylan": {},  # its own colours: only 5,040 different images
}
