"""The settings of one worker: its shard, and a name and folders that it shares with no other."""

from attrs import evolve

from ..config import Config, named_path
from ..errors import ConfigError
from ..shard import Shard

# run.instance has so many characters (config), and a worker's number is added to it.
_NAME_CHARS = 32


def part_of(config: Config, number: int, count: int) -> Config:
    """Return the settings of worker `number` of `count`, from 1; they are found again when it starts once more.

    A shard of the whole collector is divided further: every stream of it
    is in one worker's. Raises ConfigError for a shard that is none, and for
    a name that has no room for the number.
    """
    whole, name = Shard.parse(config.run.shard), f"w{number}"
    instance = f"{config.run.instance}-{name}" if config.run.instance else name
    if len(instance) > _NAME_CHARS:
        raise ConfigError(f"run.instance = {config.run.instance!r} is too long for {count} workers, whose numbers are "
                          f"added to it: {_NAME_CHARS - len(f'-w{count}')} characters at most")  # fmt: skip
    # Of a hash h, h % (m * n) tells both h % m and which of n it is.
    shard = f"{whole.index + whole.count * (number - 1)}/{whole.count * count}"
    return evolve(
        config,
        run=evolve(config.run, instance=instance, shard=shard, workers=1,
                   quarantine=named_path(config.run.quarantine, name)),
        spool=evolve(config.spool, path=named_path(config.spool.path, name)),
        capture=evolve(config.capture, path=named_path(config.capture.path, name)),
        # Nobody but the parent asks a worker anything.
        control=evolve(config.control, path=""),
        metrics=evolve(config.metrics, listen=""),
    )  # fmt: skip
