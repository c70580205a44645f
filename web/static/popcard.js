// How a pop looks: one call or one reminder written into its frame. Whatever people wrote goes in as text, never as HTML.
const words = document.getElementById("words").dataset;
const zone = document.body.dataset.zone;
const language = document.documentElement.lang;
const locale = language === "en" ? "en-GB" : language;
const day = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", timeZone: zone });
const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
const ASKS = {      // which buttons of the telephone are there, by how the call stands
  ringing: ["hangup"], talking: ["hold", "transfer", "consult", "park", "hangup"],
  held: ["resume", "transfer", "consult", "park", "hangup"], consulting: ["complete", "cancel", "hangup"], parked: ["retrieve"],
};

export const fill = (pattern, given) => pattern.replace(/\{(\w+)\}/g, (_, name) => given[name]);
const clock = s => `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
function span(ms) {
  const s = Math.round(ms / 1000), min = Math.floor(s / 60), h = Math.floor(min / 60);
  if (h) return fill(words.hours, { h, min: min % 60 });
  return min ? fill(words.minutes, { min, s: s % 60 }) : fill(words.seconds, { s });
}
function when(text) {
  const at = new Date(text);
  return day.format(at) === day.format(new Date()) ? hour.format(at) : day.format(at);
}
export const who = call => call.name || call.shown || (call.presentation === "withheld" ? words.withheld : words.unavailable);
export const has_answer = call => call.state === "talking" || call.outcome === "answered";
export const is_mine = call => Boolean(words.phone) && call.extension_number === words.phone && (call.direction === "out" || has_answer(call));
const stands = call => call.state === "talking" ? call.phone || "talking" : call.state;
const outcome = call => call.direction === "out" ? words.outcomeOut
  : words["outcome" + call.outcome[0].toUpperCase() + call.outcome.slice(1)] || call.outcome;

function origin(call) {      // "Berlin, landline"; a page may have kept a call from before it was told
  const region = (call.region || {})[language] || "";
  const kind = { mobile: words.mobile, landline: words.landline, either: words.either, service: words.service }[call.number_kind] || "";
  return region && kind ? fill(words.from, { region, kind }) : region || kind;
}

export const part = (node, name) => node.querySelector(`[data-of="${name}"]`);
function set(node, name, text) {
  const place = part(node, name);
  if (place.textContent !== text) place.textContent = text;
}
// Writes a part anew only when what it shows is another: a list that is written each second cannot be read aloud or clicked.
function anew(place, given, write) {
  const now = JSON.stringify(given ?? null);
  if (place.shows === now) return;
  place.shows = now;
  write();
}

export function write(node, call) {
  if (call.callback_id !== undefined && call.key[0] === "r") return write_reminder(node, call);
  const is_new = call.number && call.contact === null && !call.name && !(call.last || []).length;
  node.classList.toggle("answered", has_answer(call));
  node.classList.toggle("missed", call.state === "ended" && !has_answer(call));
  node.classList.toggle("ringing", call.state === "ringing");
  set(node, "name", is_new ? words.new : who(call));
  set(node, "number", is_new || call.name ? call.shown || who({ ...call, name: null }) : "");
  set(node, "origin", origin(call));
  set(node, "company", call.card?.company || "");
  set(node, "state", state(call));
  set(node, "clock", call.state === "ended" ? "" : clock(Math.max(0, Math.floor((Date.now() - call.seen_at) / 1000))));
  part(node, "link").href = "/call/" + Number(call.call_id);
  node.setAttribute("aria-label", who(call));
  node.querySelector("[data-do=close-pop]").setAttribute("aria-label", words.close);
  node.querySelector("[data-do=unfold]").setAttribute("aria-label", words.unfold);
  write_tags(part(node, "tags"), call);
  write_blocked(part(node, "blocked"), call.card);
  write_open(part(node, "open"), call);
  write_before(part(node, "before"), call.before);
  write_past(node, call);
  write_phone(part(node, "phone"), call);
  write_chips(part(node, "chips"), call);
  part(node, "about").hidden = !words.chips;
  node.querySelector(".acts [data-do=compose]").hidden = !call.takes_texts;
  const card = part(node, "card"), is_known = Boolean(call.contact_id), is_told = Boolean(call.number) && call.presentation === "allowed";
  card.href = is_known ? "/customer/" + encodeURIComponent(call.contact_id)
    : is_told ? "/customers/new?number=" + encodeURIComponent(call.number) : "/call/" + Number(call.call_id);
  const label = is_known ? words.card : is_told ? words.make : words.openCall;
  if (card.lastElementChild.textContent !== label) card.lastElementChild.textContent = label;
}

function write_reminder(node, one) {
  set(node, "name", one.name || one.shown);
  set(node, "number", one.name ? one.shown : "");
  set(node, "about", one.about || "");
  set(node, "state", words.due);
  set(node, "clock", when(one.due_at));
  node.setAttribute("aria-label", one.name || one.shown);
  node.querySelector("[data-do=close-pop]").setAttribute("aria-label", words.close);
  part(node, "call").href = "tel:" + one.number;
  part(node, "call").hidden = Boolean(words.phone);
  part(node, "dial").value = one.number;
  part(node, "dial").hidden = !words.phone;
}

function state(call) {
  const is_out = call.direction === "out";
  if (call.state === "ringing") {
    if (!call.trunk) return is_out ? words.callingBare : words.ringingBare;
    return fill(is_out ? words.calling : words.ringing, { line: call.trunk });
  }
  if (call.state === "talking") {
    if (!call.extension) return words.answeredBare;
    const said = { held: words.held, consulting: words.consulting, parked: words.parked }[call.phone];
    return fill(said || (is_out ? words.talking : words.answered), { who: call.extension });
  }
  if (has_answer(call)) return past(call);
  if (call.outcome === "missed" && !is_out) return fill(words.missed, { span: span(call.ring_ms || 0) });
  return outcome(call);
}

function past(call) {
  const ms = call.talk_ms ?? call.ring_ms;
  if (call.outcome === "missed" && call.direction === "in") return fill(words.missed, { span: span(call.ring_ms || 0) });
  if (ms === null || ms === undefined) return outcome(call);
  if (call.extension && call.outcome === "answered") {
    return fill(call.direction === "out" ? words.made : words.took, { who: call.extension, span: span(ms) });
  }
  return fill(words.over, { outcome: outcome(call), span: span(ms) });
}

function write_tags(place, { card }) {
  anew(place, card, () => {
    const tag = (text, is_vip) => {
      const node = document.getElementById("pop-tag").content.firstElementChild.cloneNode(true);
      node.classList.toggle("soon", is_vip);
      if (!is_vip) node.querySelector("svg").remove();
      node.querySelector("span").textContent = text;
      return node;
    };
    place.replaceChildren(...card?.is_vip ? [tag(words.vip, true)] : [], ...(card?.labels || []).map(text => tag(text, false)));
  });
}

function write_blocked(place, card) {
  place.hidden = !card?.is_blocked;
  const text = card?.blocked_reason ? fill(words.blockedWhy, { reason: card.blocked_reason }) : words.blocked;
  if (!place.hidden && place.lastElementChild.textContent !== text) place.lastElementChild.textContent = text;
}

function write_open(place, { owed, promised = [], unread, waiting }) {
  anew(place, [owed, promised, unread, waiting], () => {
    const lines = [];
    if (owed) lines.push(fill(owed.times === 1 ? words.owedOnce : words.owedOften, { n: owed.times, when: when(owed.at) }));
    for (const one of promised) lines.push(fill(one.about ? words.promised : words.promisedBare, { when: when(one.due_at), about: one.about }));
    if (unread) lines.push(fill(words.unread, { text: unread.text.slice(0, 140) }));
    if (waiting) lines.push(words.waiting);
    place.hidden = !lines.length;
    place.querySelector("ul").replaceChildren(...lines.map(text => Object.assign(document.createElement("li"), { textContent: text })));
  });
}

function write_before(place, note) {
  place.hidden = !note;
  if (note) anew(place, note, () => {
    place.querySelector("h3").textContent = fill(words.before, { who: note.by, when: when(note.at) });
    place.querySelector("p").textContent = note.text;
  });
}

function write_past(node, call) {
  const last = part(node, "last"), calls = call.last || [];
  part(node, "first").hidden = call.number === null || calls.length > 0 || Boolean(call.contact_id);
  last.hidden = calls.length === 0;
  anew(last, calls, () => last.querySelector("ul").replaceChildren(...calls.map(one => {
    const line = document.createElement("li"), what = document.createElement("a"), at = document.createElement("span");
    what.textContent = past(one);
    what.href = "/call/" + Number(one.call_id);
    what.className = "plain";
    at.textContent = when(one.started_at);
    at.className = "q";
    line.append(what, at);
    return line;
  })));
}

function write_phone(place, call) {
  const now = stands(call), is_parked = now === "parked";
  const asks = words.phone && call.state !== "ended" && (is_parked || is_mine(call)) ? ASKS[now] || [] : [];
  place.hidden = !asks.length;
  for (const button of place.querySelectorAll("[data-ask], [data-to]")) button.hidden = !asks.includes(button.dataset.ask || button.dataset.to);
}

function write_chips(place, call) {
  const all = words.chips ? words.chips.split("\n") : [];
  if (call.disposition && !all.includes(call.disposition)) all.push(call.disposition);
  anew(place, all, () => place.replaceChildren(...all.map(text => {
    const chip = document.getElementById("pop-chip").content.firstElementChild.cloneNode(true);
    chip.value = text;
    chip.querySelector("span").textContent = text;
    return chip;
  })));
  for (const chip of place.children) {
    const is_it = chip.value === (call.disposition || "");
    if (chip.getAttribute("aria-pressed") !== String(is_it)) chip.setAttribute("aria-pressed", String(is_it));
  }
}
