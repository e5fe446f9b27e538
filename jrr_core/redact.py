"""Secrets kept out of everything that is shown: the values of secret settings, and passwords in addresses.

What is hidden once stays hidden for the life of the process. Never raises.
"""

import json
import re
from urllib.parse import quote

_MASK = "***"
# Shorter ones would take common words out of every sentence.
_LEAST_CHARS = 4
_in_address = re.compile(r"(?<=://)([^\s/@:'\"]*):([^\s/@'\"]+)@")
_secrets: set[str] = set()


def hide(secret: object) -> None:
    """Let this text, as it is and as addresses and JSON write it, never be shown again."""
    if isinstance(secret, str) and len(secret) >= _LEAST_CHARS:
        _secrets.update({secret, quote(secret, safe=""), json.dumps(secret)[1:-1]})


def shown(text: str) -> str:
    """Return the text without what is hidden, and without passwords in addresses."""
    for secret in sorted(_secrets, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, _MASK)
    return _in_address.sub(rf"\1:{_MASK}@", text) if "://" in text else text
