"""What a sale brings on average, as the owner writes it: "48", "£48", "48,50 €"."""
from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

SALE = re.compile(r"([^\d\s.,+-]{0,4})\s?([0-9]{1,7})(?:[.,]([0-9]{1,2}))?\s?([^\d\s.,+-]{0,4})", re.ASCII)


@dataclass(frozen=True)
class Sale:
    """amount with what stands before and after it, such as "£" or "€"."""
    before: str
    amount: Decimal
    after: str


def is_sale(text: str) -> bool:
    return parse(text) is not None


def parse(text: str) -> Sale | None:
    """None for a text that is no sum of money; one without a currency is good."""
    found = SALE.fullmatch(text.strip())
    if found is None:
        return None
    return Sale(found[1], Decimal(f"{found[2]}.{found[3] or 0}"), found[4])
