"""How a run ends on the command line: its account, in words or as a line of the log."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from ..journal import say
from .summary import run_summary
from .tell import tell


def tell_account(log_format: str, stats: Mapping[str, Any], failings: Sequence[str]) -> None:
    """Write the account of a run that has ended, in the form its log has."""
    if log_format == "json":
        say(logging.INFO, "account", "the run has ended", failings=failings, **stats)
    else:
        tell(*run_summary(stats, failings))
