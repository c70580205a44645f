// An import: a choice of how it is read shows the sample anew; the bar of a long work is asked for each second.
const EVERY_MS = 1000;
const SAID_MS = 10000;      // a screen reader hears of it at most so often
document.documentElement.classList.add("js");
for (const choice of document.querySelectorAll("[data-again]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit(choice.form.querySelector("[name=go][value='0']")));
}

let said = Date.now();
async function ask() {
  const work = document.getElementById("work");
  if (!work || !("working" in work.dataset)) return;
  try {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById("work");
    if (!now || !("working" in now.dataset)) return location.reload();
    const bar = work.querySelector("progress"), text = work.querySelector(".work p");
    const fresh = now.querySelector("progress"), told = now.querySelector(".work p");
    if (!bar || !fresh) return location.reload();
    bar.value = fresh.value;
    text.replaceChildren(...told.cloneNode(true).childNodes);
    if (Date.now() - said > SAID_MS) {
      said = Date.now();
      document.getElementById("said").textContent = text.textContent;
    }
  } catch { /* the box is restarting: it is asked again */ }
  setTimeout(ask, EVERY_MS);
}
setTimeout(ask, EVERY_MS);
