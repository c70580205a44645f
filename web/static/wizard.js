// Parts that follow what happens are asked for each second; the place is guessed from the browser's clock. Both are extras.
const EVERY_MS = 1000;
const polled = [...document.querySelectorAll("[data-poll]")];
const at = document.querySelector("[data-at]")?.dataset.at;        // a form that was refused stands at another address

async function look() {
  if (!document.hidden) {
    const answer = await fetch(at, { headers: { Accept: "text/html" } }).catch(() => null);
    if (answer?.ok && !answer.redirected) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (forms(fresh) !== forms(document)) return void location.assign(at);       // a PIN is asked for, or no more
      for (const part of polled) {
        const other = fresh.getElementById(part.id);
        if (other && other.innerHTML !== part.dataset.seen) {
          part.dataset.seen = other.innerHTML;
          part.replaceChildren(...[...other.childNodes].map(node => document.adoptNode(node)));
        }
      }
    }
  }
  setTimeout(look, EVERY_MS);
}
const forms = page => [...page.querySelectorAll("form")].map(form => form.getAttribute("action")).join(" ");
if (polled.length) setTimeout(look, EVERY_MS);

const country = document.getElementById("f-country"), zone = document.getElementById("f-time_zone");
if (country && zone) {
  const zones = option => option.dataset.zones.split(" ");
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const has = [...zone.options].some(option => option.value === own);
  if (has && zone.dataset.guess === "zone" && (country.dataset.guess === "zone" || zones(country.selectedOptions[0]).includes(own))) {
    zone.value = own;
    const at = [...country.options].find(option => zones(option).includes(own));
    if (at && country.dataset.guess === "zone") country.value = at.value;
  }
  let is_chosen = !zone.dataset.guess;
  zone.addEventListener("change", () => { is_chosen = true; });
  country.addEventListener("change", () => {
    const first = zones(country.selectedOptions[0])[0];
    if (!is_chosen && first) zone.value = first;
  });
}
