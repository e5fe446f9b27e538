"""Every error jrr raises, named for who must act.

ConfigError is the user's to mend, PluginError the plugin author's, ParseError
the exchange's, SinkUnavailable and SinkRejected the store's. Core catches
each at one place only and never lets one exchange's error touch another.
"""


class JrrError(Exception):
    """Base of every error jrr raises on purpose; its text is fit for a user to read."""


class ConfigError(JrrError):
    """A setting, argument or file is wrong: the user must change what the text names. CLI exit code 2."""


class PluginError(JrrError):
    """A plugin cannot be used: its author must act. The text names the distribution."""


class ParseError(JrrError):
    """A frame is not what the exchange promises: it is counted and quarantined, the stream goes on."""


class SinkUnavailable(JrrError):  # noqa: N818 - a public name fixed by the design
    """The store cannot take data now: core keeps the batch and retries it with backoff."""


class SinkRejected(JrrError):  # noqa: N818 - a public name fixed by the design
    """The store refuses this batch for its content: core halves it until the bad row is found."""
