"""Every setting that a page changes: one line makes its field, its check, its undo, its line in the log, its test."""
from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from appliance import chosen, hours, settings
from appliance.config import Box
from appliance.people import numbers
from appliance.texts import templates
from web.language import N_, Words

SECTIONS = {        # address: its name, its icon, what it says at its head, which roles may open it
    "shop": (N_("Shop"), "tag", N_("Who you are and where. Times, numbers and texts follow from it."), "owner"),
    "hours": (N_("Hours and holidays"), "clock", N_("When somebody is there. Rules ask it: “after hours” is outside "
                                                   "of these."), "owner"),
    "lines": (N_("Lines and telephones"), "phone", N_("What rings, and what its name is on every page."), "installer"),
    "recording": (N_("Recording"), "wave", N_("Whether calls are recorded, and how long they are kept."), "owner"),
    "texts": (N_("Texts"), "text", N_("What keeps automatic texts from being a nuisance."), "owner"),
    "pop": (N_("Screen-pop"), "bell", N_("What the desks see and hear when somebody rings."), "owner"),
    "statistics": (N_("Statistics"), "up", N_("What counts as well answered."), "owner"),
    "login": (N_("Log-in"), "people", N_("How long a desk stays logged in."), "owner"),
    "backups": (N_("Backups"), "shield", N_("When the box copies itself."), "owner"),
    "updates": (N_("Updates"), "again", N_("When the box becomes a newer one, and where it asks for that."), "owner"),
}


@dataclass(frozen=True)
class Field:
    """One setting on its page. kind: see KINDS; help: what it does, in a sentence or two; unit stands behind it."""
    key: str
    section: str
    kind: str
    label: str
    help: str = ""
    unit: str = ""
    longest: int = 200


FIELDS = (
    Field("shop_name", "shop", "name", N_("Name of the shop"),
          N_("It stands on every page and in your texts as {shop}."), longest=60),
    Field("country", "shop", "country", N_("Country"),
          N_("How you dial: 0170 1234567 is read as a number of this country. Calls from now on follow it.")),
    Field("time_zone", "shop", "zone", N_("Time zone"),
          N_("Every time on the pages, quiet hours and schedules are in it.")),
    Field("language", "shop", "language", N_("Language"),
          N_("Of a page whose reader has chosen none, and of the box's own texts.")),
    Field("own_numbers", "lines", "phones", N_("Your own numbers"),
          N_("With commas between. A call from one of them is never texted.")),
    Field("ring_s", "lines", "number", N_("Telephones ring for"),
          N_("Then the caller hears that nobody answers."), N_("s")),
    Field("record_calls", "recording", "yes_no", N_("Record calls"),
          N_("In most countries the caller must know. Read what the help says of the law first.")),
    Field("recording_notice", "recording", "yes_no", N_("Say so first"),
          N_("Whoever answers and the caller hear “This call is recorded.” in the language of the box; then the "
             "recording begins.")),
    Field("recording_keep_days", "recording", "number", N_("Recordings are kept for"),
          N_("Then they go; starred ones never. 0: for ever."), N_("days")),
    Field("recording_free_percent", "recording", "number", N_("Of the disk stays free"),
          N_("When it fills up, the oldest recordings go before their time, starred ones never. Calls are never "
             "held up."), N_("%")),
    Field("backup_at", "backups", "time", N_("Nightly backups begin at"),
          N_("Where they go stands on the page Backups. If the box was off then, they are made when it is back.")),
    Field("update_at", "updates", "time", N_("Updates at night begin at"),
          N_("From then two hours, once nobody is on the telephone. The box is away for about two minutes.")),
    Field("update_channel", "updates", "address", N_("Address that tells of updates"),
          N_("Such as https://updates.example/deskbell.json. It is asked once a night. Empty: the box asks nobody."),
          longest=300),
    Field("update_by_itself", "updates", "yes_no", N_("Install what comes from there by itself"),
          N_("Off: it waits on the page Update until you say so.")),
    Field("text_pause_min", "texts", "number", N_("Pause between two automatic texts to one number"),
          N_("Who rings five times in this time is texted once."), N_("min")),
    Field("texts_a_day", "texts", "number", N_("Automatic texts to one number a day"),
          N_("At most; then none until tomorrow.")),
    Field("breaker_an_hour", "texts", "number", N_("Automatic texts an hour, in all"),
          N_("A rule gone wild stops here. Calls are logged all the same.")),
    Field("quiet_from", "texts", "time", N_("Quiet from"),
          N_("No automatic text goes at night. The same time twice: no quiet hours.")),
    Field("quiet_until", "texts", "time", N_("Quiet until")),
    Field("quiet_does", "texts", "choice", N_("A text of the quiet hours")),
    Field("broadcast_from", "texts", "time", N_("Group texts from"),
          N_("Group texts go only between these two times.")),
    Field("broadcast_until", "texts", "time", N_("Group texts until")),
    Field("stop_words", "texts", "list", N_("Further words that mean STOP"),
          N_("With commas between. STOP and its translations are known already.")),
    Field("stop_answer", "texts", "text", N_("Answer to STOP"),
          N_("Sent once. {shop} is the name of the shop."), longest=300),
    Field("start_answer", "texts", "text", N_("Answer to START"), longest=300),
    Field("owner_numbers", "texts", "phones", N_("Numbers of the owners"),
          N_("They may text STATUS, MISSED, CLOSED TILL 15 and OPEN to the box, and get group texts first.")),
    Field("forward_texts", "texts", "phone", N_("Copy texts that come in to"),
          N_("A mobile that gets each text too. Empty: nobody.")),
    Field("forward_a_day", "texts", "number", N_("Copies a day, at most")),
    Field("pop_sound", "pop", "yes_no", N_("A soft ring at the desks"),
          N_("Each browser asks once whether it may make a sound.")),
    Field("pop_outgoing", "pop", "yes_no", N_("Also for calls that go out"),
          N_("The card of whom you ring rises as you dial.")),
    Field("dispositions", "pop", "list", N_("What a call was about"),
          N_("The chips on the pop, with commas between. Twelve at most.")),
    Field("ncid_on", "pop", "yes_no", N_("NCID for other programs"),
          N_("NCID clients on computers and televisions of this network see who rings (TCP 3333). They send no "
             "password: anybody in the networks below sees it too.")),
    Field("ncid_allow", "pop", "networks", N_("NCID clients may come from"),
          N_("Networks or addresses with commas between, such as 192.168.2.0/24. Empty: from any private one.")),
    Field("service_level_percent", "statistics", "number", N_("Service level: the share"),
          N_("So much of the calls is to be answered in the time below."), N_("%")),
    Field("service_level_s", "statistics", "choice", N_("Service level: answered within"), "", N_("s")),
    Field("abandon_under_s", "statistics", "choice", N_("Left out: who hung up in less than"),
          N_("A wrong number hangs up at once and says nothing of you. 0: everybody counts."), N_("s")),
    Field("average_sale", "statistics", "plain", N_("An average sale"),
          N_("Such as £48, for what saved customers may have brought. Empty: no sum is said."), longest=20),
    Field("session_idle_min", "login", "number", N_("Owners and installers log in again after"),
          N_("Without an open page. Staff stay logged in for 12 hours."), N_("min")),
)
CHOICES = {"quiet_does": {"later": N_("goes when they are over"), "drop": N_("is not sent")}}
# Kept in the setting table and changed on these pages by an editor of their own.
EDITED = {"opening_hours": "hours", "special_days": "hours", "closed_until": "hours", "line_names": "lines",
          "extension_names": "lines", "silent_phones": "lines"}
# Kept in the setting table and deliberately on no page: why.
NOT_HERE: dict[str, str] = dict.fromkeys(
    ("mqtt_host", "mqtt_port", "mqtt_tls", "mqtt_user", "mqtt_password", "mqtt_names", "slip_printer", "slip_when"),
    "on the page Programs, see doors_machines.py")
PARTS = re.compile(r"[,;，；\n]+")
MOST_ENTRIES = 12


class Wrong(Exception):
    """What was given does not fit; the text is a sentence in the reader's words."""


def of(section: str) -> list[Field]:
    return [field for field in FIELDS if field.section == section]


def sections(may: Callable[[str], bool]) -> list[str]:
    """The sections that have something on them and that this reader may open."""
    filled = {field.section for field in FIELDS} | set(EDITED.values())
    return [name for name in SECTIONS if name in filled and may(SECTIONS[name][3])]


def choices(field: Field) -> list[tuple[str, str]]:
    """The choices of a field: what is kept, and its word."""
    named = CHOICES.get(field.key, {})
    return [(str(choice), named.get(str(choice), str(choice))) for choice in settings.CHOICES.get(field.key, ())]


def shown(field: Field, set_: settings.Settings, box: Box) -> str:
    """What stands in the field: what was set, or for what only box.toml says that."""
    value = getattr(set_, field.key)
    if isinstance(value, bool):
        return "1" if value else ""
    if field.key in chosen.KEYS:
        value = ", ".join(box.own_numbers) if field.key == "own_numbers" else getattr(box, field.key)
    if field.kind in ("phones", "phone"):
        return ", ".join(_shown(raw.strip(), box.country) for raw in str(value).split(",") if raw.strip())
    return str(value)


def value_of(field: Field, raw: str, box: Box, words: Words) -> object:
    """What is kept for what was typed. Raises Wrong."""
    if field.kind == "yes_no":
        return raw == "1"
    found: object = KINDS[field.kind](field, raw, box, words)
    return found


def _name(field: Field, raw: str, _box: Box, words: Words) -> str:
    if not raw:
        raise Wrong(words("It needs a name."))
    return _text(field, raw, _box, words)


def _text(field: Field, raw: str, _box: Box, words: Words) -> str:
    try:
        templates.check(raw or "-", ("shop",))
    except templates.TemplateError as refused:
        raise Wrong(words(str(refused))) from refused
    return " ".join(raw.split())


def _plain(_field: Field, raw: str, _box: Box, _words: Words) -> str:
    return " ".join(raw.split())


def _address(field: Field, raw: str, _box: Box, words: Words) -> str:
    fits, _wanted = settings.FITS[field.key]
    if raw and not fits(raw):
        raise Wrong(words("An address that begins with https:// is wanted."))
    return raw


def _number(field: Field, raw: str, _box: Box, words: Words) -> int:
    low, high = settings.RANGES[field.key]
    if not re.fullmatch(r"[0-9]{1,9}", raw, re.ASCII) or not low <= int(raw) <= high:
        raise Wrong(words("A whole number from %(low)s to %(high)s is wanted.", low=low, high=high))
    return int(raw)


def _choice(field: Field, raw: str, _box: Box, words: Words) -> str | int:
    for choice in settings.CHOICES[field.key]:
        if str(choice) == raw:
            return choice
    raise Wrong(words("Choose one of the list."))


def _time(_field: Field, raw: str, _box: Box, words: Words) -> str:
    try:
        hours.minutes(raw)
    except hours.HoursError as refused:
        raise Wrong(words(str(refused))) from refused
    return raw


def _country(_field: Field, raw: str, _box: Box, words: Words) -> str:
    if not numbers.is_country(raw.upper()):
        raise Wrong(words("Two letters are wanted, such as DE, GB or CN."))
    return raw.upper()


def _zone(_field: Field, raw: str, _box: Box, words: Words) -> str:
    if not raw or not chosen.is_zone(raw):
        raise Wrong(words("There is no such time zone. Choose one of the list, such as Europe/Berlin."))
    return raw


def _language(_field: Field, raw: str, _box: Box, words: Words) -> str:
    if not re.fullmatch("[a-z]{2,3}", raw):
        raise Wrong(words("Choose one of the list."))
    return raw


def _phones(_field: Field, raw: str, box: Box, words: Words) -> str:
    found = []
    for one in filter(None, (part.strip() for part in PARTS.split(raw))):
        number = numbers.e164(one, box.country)
        if number is None:
            raise Wrong(words("“%(number)s” is no telephone number here. Write it as you would dial it, or with +.",
                              number=one))
        found.append(number)
    return ", ".join(dict.fromkeys(found))


def _phone(field: Field, raw: str, box: Box, words: Words) -> str:
    if len([part for part in PARTS.split(raw) if part.strip()]) > 1:
        raise Wrong(words("One number only."))
    return _phones(field, raw, box, words)


def _list(_field: Field, raw: str, _box: Box, words: Words) -> str:
    found = list(dict.fromkeys(" ".join(part.split()) for part in PARTS.split(raw) if part.strip()))
    if len(found) > MOST_ENTRIES:
        raise Wrong(words("There is room for %(n)s.", n=MOST_ENTRIES))
    if long := next((one for one in found if len(one) > 30), None):
        raise Wrong(words("“%(word)s” is too long: 30 letters at most.", word=long))
    return ", ".join(found)


def _networks(field: Field, raw: str, _box: Box, words: Words) -> str:
    if raw and not settings.FITS[field.key][0](raw):
        raise Wrong(words("Networks or addresses with commas are wanted, such as 192.168.2.0/24."))
    return raw


def _shown(number: str, country: str) -> str:
    return numbers.shown(number, country) if number.startswith("+") else number


KINDS: dict[str, Callable[[Field, str, Box, Words], object]] = {
    "name": _name, "plain": _plain, "text": _text, "number": _number, "choice": _choice, "time": _time,
    "country": _country, "zone": _zone, "language": _language, "phones": _phones, "phone": _phone, "list": _list,
    "networks": _networks, "address": _address}
