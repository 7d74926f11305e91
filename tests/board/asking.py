"""What tests of the board ask with."""

import json
import shutil

TOKEN = "a-token-for-tests"
HOME = "http://127.0.0.1:8000"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


def first_event(look):
    """The data of an event as a browser parses it; None where nothing is new."""
    event = look()
    return json.loads(json.dumps(event.data, allow_nan=False)) if event else None
