"""Where exported files are: one for each symbol and day, under names that any file system takes.

A symbol in a path is percent-encoded, so that none can lead elsewhere; one too
long for a name is cut and made distinct by a hash.
"""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

DAY_NS = 86_400 * 10**9
# A name may have 255 bytes on common file systems; the rest is for what stands behind it.
_MOST_CHARS = 120
_HASH_CHARS = 16
# Names that Windows keeps for devices.
_DEVICES = frozenset({"CON", "PRN", "AUX", "NUL", *[f"{name}{n}" for name in ("COM", "LPT") for n in range(10)]})


def safe_name(text: str) -> str:
    """Return a name that no file system misreads; different texts have different names, short ones can be read back."""
    name = quote(text, safe="-_+=@~,", errors="surrogatepass")
    name = "".join([f"%{ord(char):02X}" if char in "~" else char for char in name])
    if name.startswith(".") or name.endswith(".") or name.upper().partition(".")[0] in _DEVICES or not name:
        name = f"%{ord(name[0]):02X}{name[1:]}" if name else "%"
        name = f"{name[:-1]}%2E" if name.endswith(".") else name
    if len(name) > _MOST_CHARS:
        name = f"{name[:_MOST_CHARS]}-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:_HASH_CHARS]}"
    return name


def file_of(folder: Path, kind: str, exchange: str, symbol: str, day: int, suffix: str) -> Path:
    """Return the file of a symbol's day (counted from 1970-01-01)."""
    date = datetime.fromtimestamp(day * DAY_NS / 1e9, UTC).date()
    return folder / safe_name(exchange) / kind / safe_name(symbol) / f"{date}.{suffix}"
