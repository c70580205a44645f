// What every page does: light or dark, rows that open, parts that follow the events. All of it works without this too.
const YEAR_S = 365 * 24 * 3600;
const TOAST_MS = 10_000, REST_MS = 1000;      // texts come in crowds: a page asks for them once a second at most
let is_stale = false, waiting = 0, due = 0, asked = 0;

function theme() {
  const root = document.documentElement;
  const is_dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme:dark)").matches;
  root.dataset.theme = is_dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=${YEAR_S}; samesite=strict`;
}

async function refresh(address = location.href) {
  if (document.hidden) {
    is_stale = true;
    return;
  }
  is_stale = false;
  asked = Date.now();
  const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (!other || other.isEqualNode(part)) continue;
    const focus = part.contains(document.activeElement) ? document.activeElement : null;
    const row = focus?.closest("li[id]")?.id, what = focus?.dataset.do;
    part.replaceWith(document.adoptNode(other));
    if (row) document.querySelector(`#${row} ${what ? `[data-do=${what}]` : "a"}`)?.focus({ preventScroll: true });
  }
}

function soon(is_text = false) {
  const at = Math.max(Date.now() + 80, is_text ? asked + REST_MS : 0);
  if (due > Date.now() && due <= at) return;
  clearTimeout(waiting);
  due = at;
  waiting = setTimeout(refresh, at - Date.now());
}

document.addEventListener("deskbell", ({ detail: { event, id } }) => {
  const page = document.body.dataset;
  const is_text = event.kind === "text";
  const is_news = event.kind === "now" ? id > Number(page.event) : is_text || Boolean(event.call_id) || event.kind === "reminder";
  if (!is_news) return;
  page.event = Math.max(id, Number(page.event));
  for (const part of document.querySelectorAll("[data-live]")) {
    const follows = part.dataset.live;
    const is_its_call = Boolean(event.call_id) && (follows === "any" || follows === "all" || follows === String(event.call_id));
    if (is_its_call || event.kind === "now" && follows !== "no") return void soon();
    if (event.kind === "reminder" && ["any", "all", "tocall"].includes(follows)) return void soon();
    if (is_text && (follows === "texts" || follows === "all")) return void soon(true);
  }
});
// Timers count on from what the page said when it came.
const seen = new WeakMap();
setInterval(() => {
  for (const timer of document.querySelectorAll("[data-since-s]")) {
    if (!seen.has(timer)) seen.set(timer, Date.now() - 1000 * Number(timer.dataset.sinceS));
    const s = Math.floor((Date.now() - seen.get(timer)) / 1000);
    timer.textContent = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  }
}, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden && is_stale) soon(); });
document.addEventListener("click", click => {
  const it = click.target.closest("[data-do]");
  if (it?.dataset.do === "theme") theme();
  if (it?.dataset.do === "print") print();
  if (it?.dataset.do === "open" && !click.ctrlKey && !click.metaKey && !click.shiftKey) {
    click.preventDefault();
    const address = it.href.replace(/#.*/, "").replace(/[?&]$/, "");
    history.replaceState(null, "", address);
    refresh(address);
  }
});
document.addEventListener("submit", async submit => {
  if (submit.target.dataset.do !== "demo") return;
  submit.preventDefault();
  const story = new URLSearchParams({ story: submit.submitter.value });
  const answer = await fetch("/demo/call", { method: "POST", body: story, headers: { "X-Deskbell-Token": document.body.dataset.token } })
    .catch(() => null);
  if (!answer?.ok) submit.target.parentElement.querySelector("p").textContent = answer ? await answer.text() : "…";
});

// What was done is said for ten seconds, longer while one is at it; the address forgets it at once.
const toast = document.querySelector(".toast");
function fade() {
  if (!toast.isConnected) return;
  if (toast.matches(":hover, :focus-within")) setTimeout(fade, 1000);
  else toast.remove();
}
if (toast) {
  const address = new URL(location.href);
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
  setTimeout(fade, TOAST_MS);
  toast.querySelector('[data-do="close-toast"]')?.addEventListener("click", click => { click.preventDefault(); toast.remove(); });
}

// Single keys, for who wants them: / search, c write, ? what there is. Never while somebody types.
const keys = document.getElementById("keys");
const KEYS_OFF = "deskbell.keys_off";
const stored = change => { try { return change(localStorage); } catch { return null; } };      // private windows may refuse
if (keys) {
  const is_off = keys.querySelector("input");
  is_off.checked = stored(store => store.getItem(KEYS_OFF)) === "1";
  is_off.addEventListener("change", () => stored(store => store.setItem(KEYS_OFF, is_off.checked ? "1" : "")));
  document.addEventListener("keydown", press => {
    if (press.ctrlKey || press.metaKey || press.altKey || press.defaultPrevented || keys.open) return;
    if (press.target.closest("input, textarea, select, [contenteditable]")) return;
    if (press.key === "?") keys.showModal();
    else if (is_off.checked) return;
    else if (press.key === "/") (document.querySelector("input[type=search]") || { focus: () => location.assign("/history#q") }).focus();
    else if (press.key === "c") location.assign("/texts/new");
    else return;
    press.preventDefault();
  });
}
