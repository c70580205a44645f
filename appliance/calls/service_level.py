"""How well the telephone is answered: one formula, and the two that Asterisk knows. Pure."""
from __future__ import annotations

from dataclasses import dataclass

from appliance.calls.stats import Figures


@dataclass(frozen=True)
class ServiceLevel:
    """in_time were answered within within_s; quick hung up in less than under_s and are left out (0: nobody is)."""
    within_s: int
    under_s: int
    calls: int
    quick: int
    in_time: int
    answered: int
    lost: int
    lost_in_time: int

    @property
    def counted(self) -> int:
        return self.calls - self.quick

    @property
    def share(self) -> float | None:
        """Answered in time ÷ (all calls in − those who hung up at once); None when there was no call to count."""
        return self.in_time / self.counted if self.counted > 0 else None

    @property
    def abandonment(self) -> float | None:
        """Lost, but for those who hung up at once ÷ the same calls."""
        return (self.lost - self.quick) / self.counted if self.counted > 0 else None

    @property
    def of_answered(self) -> float | None:
        """Asterisk's ServicelevelPerf: answered in time ÷ answered."""
        return self.in_time / self.answered if self.answered else None

    @property
    def with_lost(self) -> float | None:
        """Asterisk's ServicelevelPerf2: (answered in time + lost in that time) ÷ (answered + lost)."""
        both = self.answered + self.lost
        return (self.in_time + self.lost_in_time) / both if both else None


def of(figures: Figures, within_s: int, under_s: int) -> ServiceLevel:
    """within_s is one of stats.WITHIN_S, under_s one of stats.UNDER_S or 0."""
    return ServiceLevel(within_s, under_s, figures.calls, figures.lost_under[under_s] if under_s else 0,
                        figures.answered_within[within_s], figures.answered, figures.lost, figures.lost_under[within_s])
