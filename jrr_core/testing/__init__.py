"""What plugin authors test with: conformance suites and the exchange simulator. Public API."""

import os

# Damaged frames tried per fuzz test; `JRR_HYPOTHESIS=nightly` is the long run.
FUZZ_EXAMPLES = 10_000 if os.environ.get("JRR_HYPOTHESIS") == "nightly" else 200
