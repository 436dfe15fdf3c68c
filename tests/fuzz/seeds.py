"""How much is tried and where it begins: RECONCILER_FUZZ_SEED and RECONCILER_FUZZ_SCALE change that for a longer search."""

import os

SEED = os.environ.get("RECONCILER_FUZZ_SEED", "1")
SCALE = float(os.environ.get("RECONCILER_FUZZ_SCALE", "1"))

MANIFESTS, LOOKS, APPLIES = (int(count * SCALE) for count in (3500, 1200, 300))
