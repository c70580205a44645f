// What every page does: light or dark, rows that open, parts that follow the events. All of it works without this too.
const YEAR_S = 365 * 24 * 3600;
let is_stale = false, waiting = 0;

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

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 80);
}

document.addEventListener("deskbell", ({ detail: { event, id } }) => {
  const page = document.body.dataset;
  const is_news = event.kind === "now" ? id > Number(page.event) : Boolean(event.call_id);
  if (!is_news) return;
  page.event = Math.max(id, Number(page.event));
  for (const part of document.querySelectorAll("[data-live]")) {
    const follows = part.dataset.live;
    if (follows === "any" || event.kind === "now" && follows !== "no" || follows === String(event.call_id)) return void soon();
  }
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && is_stale) soon(); });
document.addEventListener("click", click => {
  const it = click.target.closest("[data-do]");
  if (it?.dataset.do === "theme") theme();
  if (it?.dataset.do === "open" && !click.ctrlKey && !click.metaKey && !click.shiftKey) {
    click.preventDefault();
    const address = it.href.replace(/#.*/, "").replace(/[?&]open=$/, "");
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
