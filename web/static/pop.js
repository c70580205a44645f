// The pop: rises while a call rings, stays until it is closed. All that callers wrote goes in as text, never as HTML.
import { listen } from "./stream.js";

const FOLD_MS = 4000;        // an answered pop keeps its full size so long
const LEAVE_MS = 8000;       // and leaves so long after the call; the history has it
const LOST_MS = 3000;        // a shorter break is not worth a word
const MOST = 8;
const words = document.getElementById("words").dataset;
const dock = document.getElementById("dock");
const zone = document.body.dataset.zone;
const title = document.title;
const language = document.documentElement.lang;
let ticking = 0;

// What stands in the dock, kept over page changes and shared by all pages of the browser.
const memory = {};
function kept(key, fallback) {
  try { return JSON.parse(localStorage.getItem("deskbell." + key)) ?? fallback; } catch { return memory[key] ?? fallback; }
}
function keep(key, value) {
  memory[key] = value;
  try { localStorage.setItem("deskbell." + key, JSON.stringify(value)); } catch { /* private windows may refuse; this page still has it */ }
}

const fill = (pattern, given) => pattern.replace(/\{(\w+)\}/g, (_, name) => given[name]);
const clock = s => `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
function span(ms) {
  const s = Math.round(ms / 1000), min = Math.floor(s / 60), h = Math.floor(min / 60);
  if (h) return fill(words.hours, { h, min: min % 60 });
  return min ? fill(words.minutes, { min, s: s % 60 }) : fill(words.seconds, { s });
}
const rank = call => call.state === "ringing" ? 0 : 1;      // what rings stands above what is over
const who = call => call.name || call.shown || (call.presentation === "withheld" ? words.withheld : words.unavailable);
function origin(call) {      // "Berlin, landline"; a page may have kept a call from before it was told
  const region = (call.region || {})[language] || "";
  const kind = { mobile: words.mobile, landline: words.landline, either: words.either, service: words.service }[call.number_kind] || "";
  return region && kind ? fill(words.from, { region, kind }) : region || kind;
}
const outcome = call => call.direction === "out" ? words.outcomeOut
  : words["outcome" + call.outcome[0].toUpperCase() + call.outcome.slice(1)] || call.outcome;

function take({ event, id }) {
  if (id) keep("last", id);
  if (event.kind === "now") {
    const living = new Set(event.calls.map(call => call.call_id));
    keep("pops", kept("pops", []).filter(call => call.state === "ended" || living.has(call.call_id)));
    event.calls.forEach(update);
  } else if (event.state) {
    update(event);
  }
  lost(event.kind);
  if (event.kind === "out") {
    forget();
    location.reload();
  }
  render();
  document.dispatchEvent(new CustomEvent("deskbell", { detail: { event, id } }));
}

function update(call) {
  let pops = kept("pops", []);
  const old = pops.find(pop => pop.call_id === call.call_id);
  if (!old && (call.state !== "ringing" || call.direction !== "in" || kept("closed", []).includes(call.call_id))) return;
  const turned = !old || old.state !== call.state;
  const now = { ...call, last: call.state === "ended" ? old.last : call.last, turned_at: turned ? Date.now() : old.turned_at };
  pops = pops.filter(pop => pop.call_id !== call.call_id);
  keep("pops", [...pops, now].sort((a, b) => rank(a) - rank(b) || b.call_id - a.call_id).slice(0, MOST));
  if (!old && document.visibilityState === "visible") {
    const said = { who: who(call), line: call.trunk };
    document.getElementById("pop-alert").textContent = fill(call.trunk ? words.alert : words.alertBare, said);
  }
}

function close(ids) {
  keep("closed", [...ids, ...kept("closed", [])].slice(0, 50));
  keep("pops", kept("pops", []).filter(pop => !ids.includes(pop.call_id)));
  render();
}

const has_answer = call => call.state === "talking" || call.outcome === "answered";
const is_over = call => call.state === "ended" && has_answer(call) && Date.now() - call.turned_at > LEAVE_MS;

function render() {
  const pops = kept("pops", []).filter(call => !is_over(call));
  for (const node of [...dock.querySelectorAll(".pop")]) {
    if (!pops.some(call => node.dataset.call === String(call.call_id))) node.remove();
  }
  pops.forEach((call, place) => {
    let node = dock.querySelector(`.pop[data-call="${Number(call.call_id)}"]`);
    if (!node) {
      node = document.getElementById("pop").content.firstElementChild.cloneNode(true);
      node.dataset.call = call.call_id;
      write_past(node, call);
    }
    if (dock.children[place] !== node) dock.insertBefore(node, dock.children[place] || null);
    write(node, call);
    const is_folded = place > 0 || has_answer(call) && Date.now() - call.turned_at > FOLD_MS;
    node.classList.toggle("thin", is_folded);
  });
  closing(pops.length);
  dock.hidden = !pops.length;
  const ringing = pops.find(call => call.state === "ringing");
  document.title = ringing ? fill(words.alertBare, { who: who(ringing) }) + " · Deskbell" : title;
  clearTimeout(ticking);
  if (pops.length) ticking = setTimeout(render, 1000 - Date.now() % 1000);
}

const part = (node, name) => node.querySelector(`[data-of="${name}"]`);

function write(node, call) {
  const set = (name, text) => { const place = part(node, name); if (place.textContent !== text) place.textContent = text; };
  const is_new = call.number && call.contact === null && !call.name && !call.last.length;
  node.classList.toggle("answered", has_answer(call));
  node.classList.toggle("missed", call.state === "ended" && !has_answer(call));
  node.classList.toggle("ringing", call.state === "ringing");
  set("name", is_new ? words.new : who(call));
  set("number", is_new || call.name ? call.shown || who({ ...call, name: null }) : "");
  set("origin", origin(call));
  set("state", state(call));
  set("clock", call.state === "ended" ? "" : clock(Math.max(0, Math.floor((Date.now() - call.seen_at) / 1000))));
  part(node, "link").href = "/call/" + Number(call.call_id);
  node.setAttribute("aria-label", who(call));
  node.querySelector("[data-do=close-pop]").setAttribute("aria-label", words.close);
}

function state(call) {
  if (call.state === "ringing") return call.trunk ? fill(words.ringing, { line: call.trunk }) : words.ringingBare;
  if (call.state === "talking") return call.extension ? fill(words.answered, { who: call.extension }) : words.answeredBare;
  if (has_answer(call)) return fill(words.over, { outcome: outcome(call), span: span(call.talk_ms || 0) });
  if (call.outcome === "missed") return fill(words.missed, { span: span(call.ring_ms || 0) });
  return outcome(call);
}

function write_past(node, call) {
  const last = part(node, "last");
  part(node, "first").hidden = call.number === null || call.last.length > 0;
  last.hidden = call.last.length === 0;
  const day = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { weekday: "short", day: "numeric", month: "short", timeZone: zone });
  const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: zone });
  for (const past of call.last) {
    const at = new Date(past.started_at);
    const line = document.createElement("li"), what = document.createElement("a"), when = document.createElement("span");
    const ms = past.talk_ms ?? past.ring_ms;
    what.textContent = past.outcome === "missed" && past.direction === "in" ? fill(words.missed, { span: span(past.ring_ms || 0) })
      : ms === null ? outcome(past) : fill(words.over, { outcome: outcome(past), span: span(ms) });
    what.href = "/call/" + Number(past.call_id);
    what.className = "plain";
    when.textContent = (day.format(at) === day.format(new Date()) ? hour : day).format(at);
    when.className = "q";
    line.append(what, when);
    last.querySelector("ul").append(line);
  }
}

function closing(count) {
  const there = dock.querySelector(".close-all");
  if (count < 3) there?.remove();
  else if (!there) {
    const button = document.getElementById("pop-close-all").content.firstElementChild.cloneNode(true);
    button.classList.add("close-all");
    dock.append(button);
  }
}

let break_began = 0;
function lost(kind) {
  const note = document.getElementById("lost");
  if (kind === "lost" && !break_began) {
    break_began = setTimeout(() => {
      document.getElementById("live-status").textContent = words.lost;
      if (note) { note.querySelector("span").textContent = words.lost; note.hidden = false; }
    }, LOST_MS);
  } else if (kind !== "lost" && break_began) {
    clearTimeout(break_began);
    break_began = 0;
    document.getElementById("live-status").textContent = words.back;
    if (note) note.hidden = true;
  }
}

function forget() {
  for (const name of ["pops", "closed"]) keep(name, []);
  keep("last", 0);
}

// Another session may be another box at the same address (a new demo, a restored backup): its calls count anew.
function begin() {
  if (kept("session", "") === document.body.dataset.session) return;
  forget();
  keep("session", document.body.dataset.session);
}

dock.addEventListener("click", click => {
  const button = click.target.closest("[data-do]");
  if (button?.dataset.do === "close-pop") close([Number(button.closest(".pop").dataset.call)]);
  if (button?.dataset.do === "close-all") close(kept("pops", []).map(pop => pop.call_id));
});
document.addEventListener("keydown", key => {
  const inside = document.activeElement?.closest?.(".pop");
  if (key.key === "F2" && dock.querySelector(".pop")) {
    dock.querySelector(".pop").focus();
    key.preventDefault();
  }
  if (key.key === "Escape" && inside) close([Number(inside.dataset.call)]);
});
addEventListener("storage", render);
for (const form of document.querySelectorAll('form[action="/logout"]')) form.addEventListener("submit", forget);

function connect() {
  const after = kept("last", 0);
  if (!window.SharedWorker) {
    listen(after, (event, id) => take({ event, id }));
    return;
  }
  const { port } = new SharedWorker(document.body.dataset.worker, { type: "module" });
  port.onmessage = ({ data }) => take(data);
  port.postMessage({ after });
  addEventListener("pagehide", () => port.postMessage({ bye: true }));
  addEventListener("pageshow", shown => { if (shown.persisted) port.postMessage({ after }); });
}
begin();
render();
connect();
