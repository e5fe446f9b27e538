"""Names that an exchange, or somebody in its place, might send to do harm: in SQL, paths, addresses, terminals, CSV.

Symbols and native names are the exchange's own text and are kept as they are,
so each of these must come through whatever takes it whole, or be refused by it.
"""

from collections.abc import Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

NAMES: Sequence[str] = (
    # SQL and COPY
    "a'b", 'a"b', "a';DROP TABLE trades;--", "a/*b*/", "NULL", "\\N", "\\.", "a\\tb", "a\\'b", "a;b",
    "$1", "%s", "?", ":a",
    # paths
    "../../etc/passwd", "..", ".", "/etc/passwd", "a/b", "a\\b", "~", "con", "C:", "-rf", "*", "a=b",
    "__HIVE_DEFAULT_PARTITION__",
    # addresses
    "a?b=c&d", "a#b", "a%2Fb", "%2e%2e%2f", "a+b", "a@b", "//evil.test/a", "http://evil.test/", "a b", "a;b=c",
    # shells, templates, labels, markup
    "`id`", "$(id)", "${HOME}", "{0.__class__}", "{}", "%(a)s", 'a{b="c"}', "<script>", "[red]a[/red]", "a|b",
    # lines of CSV, JSON and logs; formulas
    "a,b", "=1+1", "+1", "@SUM(A1)", "a\nb", "a\r\nERROR b", "a\tb", '","b":"',
    # terminals and eyes
    "\x1b[2J\x1b]0;a\x07", "\x9b31ma", "\x7f", "\x08", "a\u202eb", "a\u200bb", "\ufeffa", "\u2028", " ", " a ",
    # other scripts, and forms that look alike
    "币安人生USDT", "بيتكوين", "e\u0301", "\u00e9", "🚀", "\U000e0061", "İ",
    # too much
    "x" * 10_000,
    # what not every store can hold: no character, and half of one
    "a\x00b", "\ud800",
)  # fmt: skip

TEXTS: Sequence[str] = NAMES[:-1]
"""Those that are text: half a character comes from no JSON, and core subscribes to none."""


def misleads(url: str, like: str) -> bool:
    """Whether an address made with a hostile name leads elsewhere than `like`, made with a good one."""
    parts, good = urlsplit(url), urlsplit(like)
    other = (parts.scheme, parts.netloc, parts.fragment) != (good.scheme, good.netloc, "")
    steps = unquote(parts.path).split("/")
    strayed = len(parts.path.split("/")) != len(good.path.split("/")) or {".", ".."} & {*steps}
    keys, wanted = ([key for key, _ in parse_qsl(each.query, keep_blank_values=True)] for each in (parts, good))
    return bool(other or strayed or keys != wanted or not url.isprintable() or " " in url)
