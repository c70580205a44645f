// While a backup or a restore is at work its part of the page is asked for again; once it is done, the whole page.
const EVERY_MS = 2000;
const part = () => document.getElementById("at-work");

async function look() {
  if (!document.hidden) {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("at-work");
      if (!fresh) return void location.reload();
      const bar = part().querySelector("progress"), other = fresh.querySelector("progress");
      const said = part().querySelector("[role=status]"), now = fresh.querySelector("[role=status]");
      if (said.textContent !== now.textContent) said.textContent = now.textContent;
      if (bar && other) bar.value = other.value;
      else if (!bar !== !other) part().replaceWith(document.adoptNode(fresh));
    }
  }
  setTimeout(look, EVERY_MS);
}
if (part()) setTimeout(look, EVERY_MS);
