"""How many values are drawn: few and always the same ones in CI, `LOSSNLP_EXAMPLES` of them, and others each time, in a long run."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_WANTED = os.environ.get("LOSSNLP_EXAMPLES")
_ANY_SPEED = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}  # never on a clock

settings.register_profile("few", max_examples=30, derandomize=True, **_ANY_SPEED)
settings.register_profile("many", max_examples=int(_WANTED or 1), print_blob=True, **_ANY_SPEED)
settings.load_profile("many" if _WANTED else "few")
