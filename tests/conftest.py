"""For every ring: these machines are shared, so how fast Hypothesis finds its examples is no finding."""
from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("shared", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
