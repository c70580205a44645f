// The pops of a desk: they rise while a call rings, stay until they are closed, and are the same in all pages of a browser.
import { listen } from "./stream.js";
import * as bell from "./popbell.js";
import { fill, has_answer, is_mine, part, who, write } from "./popcard.js";
import { ask_box, dial, order, settle, toast, whom } from "./popphone.js";

const FOLD_MS = 4000;                // a call that another desk took keeps its full size so long
const LEAVE_MS = 8000;               // and leaves so long after it was over; the history has it
const KEPT_MS = 60 * 60 * 1000;      // one's own stays for the note, and goes then
const MISSED_MS = 2 * KEPT_MS;       // a call missed while the browser slept still rises
const FRESH_MS = 60_000;
const LOST_MS = 3000;                // a shorter break is not worth a word
const HERE_MS = 30_000;
const MOST = 8;
const words = document.getElementById("words").dataset;
const dock = document.getElementById("dock");
const title = document.title;
const is_calm = matchMedia("(prefers-reduced-motion:reduce)");
const names = ["pops", "closed", "drafts", "unfolded"];
const saving = new Set();
const met = new Set();      // calls this page was told of as they rang: another page may have put them into the dock first
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
const key_of = pop => pop.key ?? "c" + pop.call_id;
const pops_now = () => kept("pops", []).map(pop => ({ ...pop, key: key_of(pop) }));
const find = key => pops_now().find(pop => pop.key === key);
const draft_of = key => kept("drafts", {})[key];

function take({ event, id, rings, notifies }) {
  if (id) keep("last", id);
  if (event.kind === "now") {
    const living = new Set(event.calls.map(call => call.call_id));
    keep("pops", pops_now().filter(pop => !pop.call_id || pop.state === "ended" || living.has(pop.call_id)));
    for (const call of event.calls) sound(call, update({ ...call, kind: "now" }), rings, notifies);
  } else if (event.callback_id) {
    remind(event);
  } else if (event.state) {
    const is_new = update(event);
    if (is_new) sound(event, is_new, rings, notifies);
    if (event.kind === "phone") settle(frame("c" + event.call_id), "c" + event.call_id);
  }
  lost(event.kind);
  if (event.kind === "out") {
    forget();
    location.reload();
  }
  render();
  document.dispatchEvent(new CustomEvent("deskbell", { detail: { event, id } }));
}

// A call that comes rings aloud, on a page that comes in the midst of it too; it notifies once.
function sound(call, is_new, rings, notifies) {
  const key = "c" + call.call_id;
  if (call.state !== "ringing" || call.direction !== "in" || !find(key)) return;
  if (rings !== false) bell.ring();
  const is_looked_at = document.visibilityState === "visible" && document.hasFocus();
  if (is_new && notifies !== false && !is_looked_at) bell.show(key, who(call), sentence(call), "/call/" + Number(call.call_id));
}

const sentence = call => call.direction === "out" ? fill(words.alertOut, { who: who(call) })
  : fill(call.trunk ? words.alert : words.alertBare, { who: who(call), line: call.trunk });

// Whether a call of which nothing stands here rises now.
function rises(call) {
  const is_closed = kept("closed", []).includes("c" + call.call_id);
  if (call.phone === "parked" && words.phone) return !is_closed || call.kind === "phone";
  if (is_closed) return false;
  if (call.direction === "out") return call.state !== "ended" && (is_mine(call) || Boolean(words.outgoing) && call.state === "ringing");
  if (call.direction !== "in") return false;
  if (call.state === "ended") return call.outcome === "missed" && call.kind === "ringing" && Date.now() - call.seen_at < MISSED_MS;
  const is_fresh = call.kind === "ringing" && Date.now() - call.seen_at < FRESH_MS;      // answered before it was told
  return call.state === "ringing" || is_fresh || is_mine(call);
}

function update(call) {
  const key = "c" + call.call_id, pops = pops_now(), old = pops.find(pop => pop.key === key);
  if (!old && !rises(call)) return false;
  const is_new = call.kind === "ringing" ? !met.has(key) : !old;
  if (call.state === "ended") met.delete(key);
  else met.add(key);
  const turned = !old || old.state !== call.state;
  const last = call.state === "ended" ? old?.last ?? call.last : call.last;
  const now = { ...old, ...call, key, last, turned_at: turned ? Date.now() : old.turned_at };
  if (turned && old && has_answer(now)) keep("unfolded", kept("unfolded", []).filter(one => one !== key));
  put(pops, now);
  if (old?.state === "ringing" && call.state !== "ringing") bell.unshow(key);
  if (is_new) alert(sentence(call) + (call.owed ? " " + words.alertOwed : ""));
  return is_new;
}

function remind(event) {
  const key = "r" + event.callback_id, pops = pops_now();
  const is_due = event.kind === "reminder" && event.number && (!event.for_user || event.for_user === words.user);
  if (!is_due) return void keep("pops", pops.filter(pop => pop.key !== key));
  put(pops, { ...event, key, state: "due", seen_at: Date.now() });
  alert(fill(words.alertDue, { who: event.name || event.shown }));
}

function put(pops, now) {
  const rank = pop => pop.state === "ringing" ? 0 : pop.state === "talking" && is_mine(pop) ? 1 : 2;      // what rings is on top
  const newer = pop => pop.call_id ?? 2 ** 53;      // a reminder is about now
  const all = [...pops.filter(pop => pop.key !== now.key), now].sort((a, b) => rank(a) - rank(b) || newer(b) - newer(a));
  keep("pops", all.filter((pop, place) => place < MOST || draft_of(pop.key)));
}

function alert(text) {
  if (document.visibilityState === "visible") document.getElementById("pop-alert").textContent = text;
}

function close(keys) {
  keys.filter(draft_of).forEach(save);
  keep("closed", [...keys, ...kept("closed", [])].slice(0, 50));
  keep("pops", pops_now().filter(pop => !keys.includes(pop.key)));
  keys.forEach(bell.unshow);
  render();
}

function is_over(pop) {
  if (pop.state !== "ended" || !has_answer(pop) || is_held(pop)) return false;
  return Date.now() - pop.turned_at > (words.phone && !is_mine(pop) ? LEAVE_MS : KEPT_MS);
}

// Somebody is at it: it neither folds nor leaves.
function is_held(pop) {
  const node = frame(pop.key);
  return Boolean(draft_of(pop.key) || node?.contains(document.activeElement) || node && !part(node, "compose")?.hidden && part(node, "compose"));
}

function is_folded(pop, place) {
  if (is_held(pop) || kept("unfolded", []).includes(pop.key) || pop.state === "talking" && is_mine(pop)) return false;
  return place > 0 || has_answer(pop) && !is_mine(pop) && Date.now() - pop.turned_at > FOLD_MS;
}

const frame = key => dock.querySelector(`.pop[data-key="${CSS.escape(key)}"]`);

function render() {
  const pops = pops_now().filter(pop => !is_over(pop));
  for (const node of [...dock.querySelectorAll(".pop")]) {
    if (!pops.some(pop => node.dataset.key === pop.key)) node.remove();
  }
  pops.forEach((pop, place) => {
    let node = frame(pop.key);
    if (!node) {
      node = document.getElementById(pop.key[0] === "r" ? "pop-reminder" : "pop").content.firstElementChild.cloneNode(true);
      node.dataset.key = pop.key;
    }
    stand(node, place);
    write(node, pop);
    if (pop.call_id) note(node, pop);
    node.classList.toggle("thin", pop.key[0] !== "r" && is_folded(pop, place));
  });
  closing(pops.length);
  dock.hidden = !pops.length;
  const ringing = pops.find(pop => pop.state === "ringing" && pop.direction === "in");
  if (!ringing) bell.hush();
  const is_told = ringing && (is_calm.matches || Math.floor(Date.now() / 1000) % 2 === 0);
  document.title = is_told ? fill(words.alertBare, { who: who(ringing) }) + " · Deskbell" : title;
  clearTimeout(ticking);
  if (pops.length) ticking = setTimeout(render, 1000 - Date.now() % 1000);
}

// Puts a pop at its place without taking the focus from whoever types in it.
function stand(node, place) {
  if (dock.children[place] === node) return;
  const focus = node.contains(document.activeElement) ? document.activeElement : null;
  const at = focus?.selectionStart;
  dock.insertBefore(node, dock.children[place] || null);
  focus?.focus({ preventScroll: true });
  if (at !== undefined && at !== null) focus.setSelectionRange(at, at);
}

// The note box: what is being typed here, else what the box has.
function note(node, pop) {
  const box = node.querySelector("[data-of=write] textarea"), draft = draft_of(pop.key);
  const text = draft ? draft.text : pop.note?.text || "";
  if (box.value !== text && box !== document.activeElement) box.value = text;
  if (box === document.activeElement && !draft && box.value !== text) box.value = text;
  const is_others = pop.note && pop.note.by !== words.user && !draft;
  const said = part(node, "note-said"), now = draft ? draft.trouble || words.typing : is_others ? fill(words.savedBy, { who: pop.note.by }) : pop.note ? words.saved : "";
  if (said.textContent !== now) said.textContent = now;
}

function drafted(key, change) {
  const drafts = kept("drafts", {});
  if (change) drafts[key] = { ...drafts[key], ...change };
  else delete drafts[key];
  keep("drafts", drafts);
}

async function save(key) {
  const draft = draft_of(key);
  if (!draft || saving.has(key)) return;
  saving.add(key);
  drafted(key, { is_left: true });
  const before = find(key)?.note?.text;
  const answer = await ask_box("/pop/note", { call_id: key.slice(1), note: draft.text, was: draft.was });
  saving.delete(key);
  if (answer.refused) drafted(key, { trouble: answer.is_lost ? words.unsaved : answer.refused });
  else {
    if (draft_of(key)?.text === draft.text) drafted(key, null);
    else drafted(key, { was: answer.note });
    // What the stream brought meanwhile may be newer than this answer: somebody else wrote too.
    if (find(key)?.note?.text === before) edit(key, { note: answer.note ? { text: answer.note, by: words.user } : null });
  }
  render();
}

function edit(key, change) {
  keep("pops", pops_now().map(pop => pop.key === key ? { ...pop, ...change } : pop));
}

async function mark(key, chip) {
  const wanted = chip.getAttribute("aria-pressed") === "true" ? "" : chip.value;
  const answer = await ask_box("/pop/outcome", { call_id: key.slice(1), outcome: wanted });
  if (answer.refused) toast(answer.refused);
  else edit(key, { disposition: answer.disposition });
  render();
}

async function compose(node, pop) {
  const form = part(node, "compose");
  form.hidden = !form.hidden;
  if (form.hidden) return;
  form.querySelector("textarea").focus();
  const { canned = [] } = await ask_box("/pop/canned?number=" + encodeURIComponent(pop.number));
  const choice = form.querySelector("select");
  choice.hidden = !canned.length;
  choice.replaceChildren(choice.firstElementChild, ...canned.map(one => new Option(one.name, one.text)));
}

async function send(node, pop) {
  const form = part(node, "compose"), said = part(node, "text-said");
  const answer = await ask_box("/pop/text", { number: pop.number, text: form.elements.text.value });
  said.hidden = false;
  said.textContent = answer.refused || answer.said;
  if (answer.refused) return;
  form.reset();
  form.hidden = true;
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
  const line = document.getElementById("lost");
  if (kind === "lost" && !break_began) {
    break_began = setTimeout(() => {
      document.getElementById("live-status").textContent = words.lost;
      if (line) { line.querySelector("span").textContent = words.lost; line.hidden = false; }
    }, LOST_MS);
  } else if (kind !== "lost" && break_began) {
    clearTimeout(break_began);
    break_began = 0;
    document.getElementById("live-status").textContent = words.back;
    if (line) line.hidden = true;
    Object.keys(kept("drafts", {})).forEach(save);
  }
}

function forget() {
  for (const name of names) keep(name, name === "drafts" ? {} : []);
  keep("last", 0);
}

// Another session may be another box at the same address (a new demo, a restored backup): its calls count anew.
function begin() {
  if (kept("session", "") === document.body.dataset.session) return;
  forget();
  keep("session", document.body.dataset.session);
}

dock.addEventListener("click", click => {
  const it = click.target.closest("[data-do], [data-ask], [data-to], [data-remind]"), node = it?.closest(".pop");
  const key = node?.dataset.key, { do: what, ask, to, remind: how } = it?.dataset ?? {};
  if (what === "close-pop") close([key]);
  if (what === "close-all") close(pops_now().map(pop => pop.key));
  if (what === "unfold") keep("unfolded", [key, ...kept("unfolded", [])].slice(0, MOST));
  if (what === "compose") compose(node, find(key));
  if (what === "save") save(key);
  if (what === "outcome") mark(key, it);
  if (ask) order(node, key, ask);
  if (to) whom(node, to);
  if (how) ask_box(`/pop/reminder/${key.slice(1)}/${how}`, {}).then(answer => answer.refused ? toast(answer.refused) : close([key]));
  if (it) render();
});
dock.addEventListener("input", ({ target }) => {
  const node = target.closest(".pop");
  if (!target.closest("[data-of=write]")) return;
  const was = draft_of(node.dataset.key)?.was ?? (find(node.dataset.key)?.note?.text || "");
  drafted(node.dataset.key, { text: target.value, was, trouble: "", is_left: false });
  note(node, find(node.dataset.key));
});
dock.addEventListener("change", ({ target }) => {
  if (target.matches("[data-of=compose] select") && target.value) target.form.elements.text.value = target.value;
});
dock.addEventListener("focusout", ({ target }) => {
  if (target.closest("[data-of=write]") && document.visibilityState === "visible") save(target.closest(".pop").dataset.key);
});
dock.addEventListener("submit", submit => {
  const node = submit.target.closest(".pop"), key = node.dataset.key;
  submit.preventDefault();
  if (submit.target.dataset.of === "compose") send(node, find(key));
  else order(node, key, submit.target.dataset.kind, submit.target.elements.to.value);
});
document.addEventListener("submit", async submit => {
  const form = submit.target;
  if (form.id === "dial") {
    submit.preventDefault();
    dial(submit.submitter.value);
  } else if (form.matches("form[action='/pop/mute']")) {
    submit.preventDefault();
    const answer = await ask_box("/pop/mute", { muted: form.elements.muted.value });
    if (answer.refused) return toast(answer.refused);
    keep("muted", bell.may.is_muted = answer.muted);
    if (answer.muted) bell.hush();
    bell.say();
  }
});
document.addEventListener("keydown", key => {
  const inside = document.activeElement?.closest?.(".pop");
  if (key.key === "F2" && dock.querySelector(".pop")) {
    dock.querySelector(".pop").focus();
    key.preventDefault();
  }
  if (key.key === "Escape" && inside) close([inside.dataset.key]);
});
addEventListener("storage", ({ key, newValue }) => {
  if (key === "deskbell.muted") {
    bell.may.is_muted = newValue === "true";
    if (bell.may.is_muted) bell.hush();
    bell.say();
  }
  render();
});
for (const form of document.querySelectorAll('form[action="/logout"]')) form.addEventListener("submit", forget);

function connect() {
  const after = kept("last", 0);
  if (!window.SharedWorker) {
    listen(after, (event, id) => take({ event, id }));
    return;
  }
  const { port } = new SharedWorker(document.body.dataset.worker, { type: "module" });
  const here = again => port.postMessage({ after, again, is_seen: document.visibilityState === "visible", can_ring: bell.can_ring() });
  port.onmessage = ({ data }) => take(data);
  here(true);
  bell.on_turn(() => here(false));
  setInterval(here, HERE_MS, false);
  for (const sign of ["visibilitychange", "click"]) document.addEventListener(sign, () => setTimeout(here, 0, false));
  addEventListener("pagehide", () => port.postMessage({ bye: true }));
  addEventListener("pageshow", shown => { if (shown.persisted) here(true); });
}
begin();
render();
bell.begin();
connect();
// What was left together with its page, which never heard that it was kept.
for (const [key, draft] of Object.entries(kept("drafts", {}))) if (draft.is_left) save(key);
