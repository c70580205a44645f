"""Where a number is from and of what kind, in the reader's words: beside every number that stands on a page."""
from __future__ import annotations

from appliance.people import regions
from appliance.people.numbers import Kind
from web.language import N_, Words

KINDS = {Kind.MOBILE: N_("mobile"), Kind.LANDLINE: N_("landline"), Kind.OTHER: N_("service number"), Kind.SHORT: ""}
EITHER = N_("mobile or landline")


def told(number: str | None, words: Words, home: str) -> str:
    """"Berlin, landline"; "" for what is no subscriber's number. `home` is the shop's country."""
    if not number or not number.startswith("+"):
        return ""
    origin = regions.origin(number, words.language, home)
    kind = words(EITHER if origin.is_either else KINDS[origin.kind])
    return words("%(region)s, %(kind)s", region=origin.region, kind=kind) if origin.region and kind \
        else origin.region or kind


def parts(number: str | None, words: Words, home: str) -> dict[str, str | None]:
    """The two of them apart, for the body of an event: {"region": "Berlin", "kind": "landline"}."""
    if not number or not number.startswith("+"):
        return {"region": None, "kind": None}
    origin = regions.origin(number, words.language, home)
    return {"region": origin.region or None,
            "kind": words(EITHER if origin.is_either else KINDS[origin.kind]) or None}
