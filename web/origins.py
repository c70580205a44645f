"""Where a number is from and of what kind, in the reader's words: beside every number that stands on a page."""
from __future__ import annotations

from appliance.people import regions
from appliance.people.numbers import Kind
from web.language import N_, NAMES, Words

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


def everywhere(number: str | None, home: str) -> dict[str, object]:
    """For the body of an event, which readers of every language share: the region by language, and number_kind.

    That is one of mobile, landline, either (the country's plan does not tell), service; None for no subscriber.
    """
    if not number or not number.startswith("+"):
        return {"region": {}, "number_kind": None}
    origin = regions.origin(number, "en", home)
    kind = {Kind.OTHER: "service", Kind.SHORT: None}.get(origin.kind, str(origin.kind))
    kind = "either" if origin.is_either else kind
    named = {language: regions.origin(number, language, home).region for language in NAMES}
    return {"region": {language: region for language, region in named.items() if region}, "number_kind": kind}
