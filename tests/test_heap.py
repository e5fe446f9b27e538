"""Memory of a long run: what was freed goes back, and what start-up made is left out of garbage collection."""

import subprocess
import sys

import pytest

# A block of 8 MB, freed, raises glibc's thresholds; blocks below it then come from the heap, and a small one that
# outlives them keeps all beneath it.
FRAGMENTED = """
import sys
if sys.argv[1] == "give_back":
    from jrr_core.heap import give_back
    give_back()
else:
    import jrr_core.heap

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

before = resident()
block = bytes(8_000_000); del block
blocks = [bytearray(1_000_000) for _ in range(20)]
last = bytearray(100_000)
del blocks
print(resident() - before)
"""


def left(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", FRAGMENTED, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="speaks of glibc")
def test_what_a_large_batch_took_is_given_back() -> None:
    assert left("give_back") < 4_000_000
    assert left("by default") > 15_000_000


def test_what_start_up_made_is_not_looked_at_again() -> None:
    code = "import gc; from jrr_core.heap import settle; settle(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    frozen, looked_at = map(int, done.stdout.split())
    assert frozen > 5_000 > looked_at
