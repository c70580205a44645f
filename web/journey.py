"""A call in words: the line of the history, and the steps from the first ring to the delivered text."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from appliance.calls.history import Call, Leg, Story, Text
from appliance.config import Box
from appliance.people import numbers
from web.language import N_, Words

# Outcome: shape of the glyph and the word beside it.
GLYPHS = {"answered": "answered", "missed": "missed", "abandoned": "missed", "busy": "turned", "rejected": "turned",
          "failed": "turned", "interrupted": "turned", "voicemail": "voicemail", "blocked": "blocked"}
OUTCOMES = {"answered": N_("Answered"), "missed": N_("Missed"), "abandoned": N_("Left the queue"), "busy": N_("Busy"),
            "rejected": N_("Rejected"), "failed": N_("Failed"), "interrupted": N_("Cut off"),
            "voicemail": N_("Voicemail"), "blocked": N_("Blocked")}
ENDS = {
    "missed": N_("Nobody had answered."),
    "abandoned": N_("The caller left before anyone answered."),
    "busy": N_("Every phone was in a call."),
    "rejected": N_("The call was turned down at the phone."),
    "failed": N_("The call did not get through."),
    "interrupted": N_("Deskbell or the telephone system stopped in the middle of it."),
    "voicemail": N_("The caller spoke to the machine."),
    "blocked": N_("This number is blocked; no phone rang."),
}
ENDS_OUT = {"missed": N_("Nobody answered there."), "busy": N_("The other side was in a call."),
            "rejected": N_("The other side turned the call down.")}
TEXTS = {"queued": N_("Text waits"), "held": N_("Text is held back"), "sending": N_("Text is being sent"),
         "unknown": N_("Text may have been sent"), "sent": N_("Texted"), "delivered": N_("Texted, delivered"),
         "failed": N_("Text not sent"), "expired": N_("Text not delivered in time"), "cancelled": N_("Text cancelled")}
TONES = {"delivered": "good", "failed": "bad", "unknown": "bad", "expired": "bad"}
NO_NEWS = {"answered", "not_inbound"}     # refusals that nobody asks about
RULES = {"missed": N_("Missed call")}


@dataclass(frozen=True)
class Row:
    """One line of the history. `tone` of the text badge is good, bad or empty."""
    call: Call
    glyph: str
    word: str
    who: str
    shown: str | None
    what: str
    why: str
    text: str
    text_tone: str


@dataclass(frozen=True)
class Step:
    """One thing that happened; `lead` is the part in bold."""
    at: datetime
    icon: str
    tone: str
    text: str
    lead: str = ""
    detail: str = ""


class Teller:
    """Speaks of calls in one language."""

    def __init__(self, box: Box, words: Words) -> None:
        self.box = box
        self.words = words
        self.trunks = {trunk.key: trunk.name for trunk in box.trunks}
        self.extensions = {extension.number: extension.name for extension in box.extensions}

    def row(self, call: Call) -> Row:
        text = self.words(TEXTS[call.text_state]) if call.text_state in TEXTS else ""
        tone = TONES.get(call.text_state or "", "")
        return Row(call, self.glyph(call), self.word(call), self.who(call), self.shown(call), self.what(call),
                   self.why(call, text), text, tone)

    def refused(self, reason: str) -> str:
        """Why there was no text, as a sentence."""
        if reason.startswith("Not texted"):
            return self.words(reason)
        return self.words("Not texted: %(reason)s.", reason=self.words(reason))

    def text(self, text: Text) -> tuple[str, str]:
        """The state of a text in words, and its tone."""
        return self.words(TEXTS.get(text.state, "")), TONES.get(text.state, "")

    def glyph(self, call: Call) -> str:
        if call.is_ringing and call.direction == "in":
            return "ringing"
        if call.direction == "out":
            return "outgoing"
        return GLYPHS.get(call.outcome or "answered", "turned")

    def word(self, call: Call) -> str:
        if call.is_ringing:
            return self.words("Ringing")
        if call.is_live:
            return self.words("Talking")
        if call.direction == "out" and call.outcome in ("answered", "missed"):
            return self.words("Outgoing")
        return self.words(OUTCOMES.get(call.outcome or "", "Answered"))

    def who(self, call: Call) -> str:
        if call.name:
            return call.name
        if call.presentation == "withheld":
            return self.words("Number withheld")
        return self.shown(call) or self.words("No number came with the call")

    def shown(self, call: Call) -> str | None:
        if call.presentation != "allowed":
            return None
        return numbers.shown(call.number, self.box.country) if call.number else call.caller_id or None

    def what(self, call: Call) -> str:
        """Missed, rang 24 s."""
        words, span = self.words, self.words.span
        if call.is_live:
            return self.word(call)
        if call.outcome == "missed" and call.direction == "out":
            return words("Outgoing, not answered")
        if call.answered_at is None and call.ring_ms is not None:
            return words("%(word)s, rang %(span)s", word=self.word(call), span=span(call.ring_ms))
        if call.talk_ms is not None:
            return words("%(word)s, %(span)s", word=self.word(call), span=span(call.talk_ms))
        return self.word(call)

    def why(self, call: Call, text: str) -> str:
        """What came of it, else where it was: the text, why there is none, the extension, the line."""
        if text:
            return text
        if call.refusal and call.refusal_code not in NO_NEWS:
            return self.refused(call.refusal)
        places = [self.extension(call.extension), self.trunk(call.trunk)]
        return " · ".join(place for place in places if place)

    def trunk(self, key: str | None) -> str:
        return self.trunks.get(key or "", key or "")

    def extension(self, number: str | None) -> str:
        return self.extensions.get(number or "", number or "")

    def steps(self, story: Story) -> list[Step]:
        """All that happened, in the order of time."""
        call = story.call
        steps = [*(self._going_out(story) if call.direction != "in" else self._coming_in(story))]
        if story.recording:
            detail = self.words("The end is missing: the telephone system stopped in the call.") \
                if story.recording.is_cut else ""
            steps.append(Step(story.recording.started_at, "wave", "", self.words(
                "Recorded, %(span)s", span=self.words.span(story.recording.duration_ms)), detail=detail))
        for text in story.texts:
            steps += self._text(text)
        for refusal in story.refusals:
            if refusal.code not in NO_NEWS:
                steps.append(Step(refusal.at, "text", "q", self.refused(refusal.reason)))
        return sorted(steps, key=lambda step: step.at)

    def _coming_in(self, story: Story) -> list[Step]:
        call, words = story.call, self.words
        given = {"allowed": words("The line showed the number"), "withheld": words("The caller withheld the number"),
                 "unavailable": words("The line gave no number")}[call.presentation]
        if call.contact is None and call.caller_name and call.presentation == "allowed":
            given = words("The line gave the name %(name)s", name=call.caller_name)
        line = self.trunk(call.trunk)
        steps = [Step(call.started_at, "in", "", words("Rang on %(line)s", line=line) if line else words("Rang"),
                      detail=given)]
        if call.bell == "cut":
            steps.append(Step(call.started_at, "clock", "", words("Deskbell was too slow to say who it is"),
                              detail=words("The phones rang without it.")))
        rang = [leg for leg in story.legs if not leg.is_caller and leg.party]
        if rang:
            steps.append(self._rang(call, rang))
        return steps + self._end(call, words("%(who)s answered", who=self.extension(call.extension))
                                 if call.extension else words("Answered"))

    def _rang(self, call: Call, rang: list[Leg]) -> Step:
        parties = list(dict.fromkeys(self.extension(leg.party) for leg in rang))
        names, count = self.words.both(parties), len(parties)
        until = call.answered_at or call.ended_at
        started = min(leg.started_at for leg in rang)
        if until is None:
            return Step(started, "bell", "c-brass", self.words.plural(
                "%(names)s is ringing", "%(names)s are ringing", count, names=names))
        ms = round((until - started).total_seconds() * 1000)
        return Step(started, "bell", "c-brass", self.words.plural(
            "%(names)s rang for %(span)s", "%(names)s rang for %(span)s", count, names=names,
            span=self.words.span(max(0, ms))))

    def _going_out(self, story: Story) -> list[Step]:
        call, words = story.call, self.words
        who, line = self.extension(call.extension), self.trunk(call.trunk)
        detail = words("Over %(line)s", line=line) if line else ""
        text = words("%(who)s called", who=who) if who else words("Called")
        return [Step(call.started_at, "out", "c-outgoing", text, detail=detail),
                *self._end(call, words("The other side answered"))]

    def _end(self, call: Call, answered: str) -> list[Step]:
        steps, words = [], self.words
        if call.answered_at:
            steps.append(Step(call.answered_at, "check", "c-answered", answered))
        if call.ended_at is None:
            return steps
        if call.outcome == "answered":
            span = words.span(call.talk_ms or 0)
            return [*steps, Step(call.ended_at, "phone", "", words("Talked for %(span)s", span=span))]
        ends = ENDS | ENDS_OUT if call.direction == "out" else ENDS
        tone = "c-missed" if call.direction == "in" else ""
        icon = "missed" if call.outcome in ("missed", "abandoned") else "x"
        lead = words("Not answered") if call.direction == "out" and call.outcome == "missed" else \
            words(OUTCOMES.get(call.outcome or "", "Missed"))
        text = words(ends[call.outcome]) if call.outcome in ends else ""
        return [*steps, Step(call.ended_at, icon, tone, text, lead=words("%(sentence)s.", sentence=lead))]

    def _text(self, text: Text) -> list[Step]:
        words = self.words
        rule = RULES.get(text.rule or "", text.rule or "")
        steps = [Step(text.created_at, "text", "c-outgoing", words("Text queued"),
                      detail=words("By the rule “%(rule)s”", rule=words(rule)) if rule else "")]
        if text.sent_at:
            length = words.plural("%(n)s character", "%(n)s characters", len(text.text))
            parts = words.plural("%(n)s text", "%(n)s texts", max(1, text.segments))
            steps.append(Step(text.sent_at, "text", "c-outgoing", words("Text sent by the SIM"),
                              detail=words("%(parts)s, %(length)s", parts=parts, length=length)))
        if text.delivered_at:
            steps.append(Step(text.delivered_at, "check", "c-answered", words("to the caller’s phone"),
                              lead=words("Delivered")))
        if text.state == "failed":
            steps.append(Step(text.updated_at, "warn", "c-missed", words(text.reason or ""), lead=words("Not sent.")))
        if text.state == "unknown":
            steps.append(Step(text.updated_at, "warn", "c-missed", words(
                "It may have been sent, so we do not send it again by ourselves."),
                lead=words("The SIM never answered.")))
        if text.state == "expired":
            steps.append(Step(text.updated_at, "warn", "c-missed", words(
                "The phone could not be reached in time."), lead=words("Not delivered.")))
        if text.state == "queued" and text.reason:
            steps.append(Step(text.updated_at, "clock", "", words(text.reason), lead=words("It waits.")))
        if text.state == "held":
            steps.append(Step(text.updated_at, "clock", "", words(text.reason or ""), lead=words("Held back.")))
        return steps
