"""The section `[metrics]`."""

from attrs import define

from ..setting import setting


@define(kw_only=True)
class MetricsSettings:
    """The section `[metrics]`."""

    listen: str = setting(
        "127.0.0.1:9464",
        "Address of /metrics, /livez, /readyz and /stats in `jrr run`: HOST:PORT, or a port of this machine alone; "
        "empty for none.",
    )
    symbols: tuple[str, ...] = setting(
        (), 'Symbols, or EXCHANGE:SYMBOL, whose streams have metrics of their own; "*" for all. Each costs five series.'
    )
