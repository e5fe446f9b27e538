"""The section `[control]`, and where a socket may be."""

import os
from pathlib import Path

from attrs import define

from ..errors import ConfigError
from ..setting import setting

# An address of a unix socket holds 108 bytes on Linux (unix(7)) and 104 on BSD, the closing zero among them.
_PATH_BYTES = 100


@define(kw_only=True)
class ControlSettings:
    """The section `[control]`."""

    path: str = setting(
        ".jrr/control.sock",
        "Unix socket that `jrr ctl` reaches a running collector by, for its owner alone; empty for none.",
    )


def socket_path(text: str) -> Path:
    """Return the path of a socket; raises ConfigError for one too long to be one."""
    size = len(os.fsencode(text))
    if size > _PATH_BYTES:
        raise ConfigError(
            f"control.path is {size} bytes long, and a unix socket's path may have {_PATH_BYTES}: "
            "write one relative to the working directory, or a shorter one"
        )
    return Path(text)
