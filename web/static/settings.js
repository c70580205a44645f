// Countries by their names in the page's language; the week's two short-cuts. The forms work without it.
const row = document.querySelector(".within .chips"), here = row?.querySelector("[aria-current]");
if (here && !CSS.supports("scroll-initial-target", "nearest")) {
  row.scrollLeft += here.getBoundingClientRect().right - row.getBoundingClientRect().right + 40;
}

const language = document.documentElement.lang;

for (const list of document.querySelectorAll('select[data-names="region"]')) {
  const chosen = list.value;
  let names;
  try { names = new Intl.DisplayNames([language], { type: "region" }); } catch { break; }
  const options = [...list.options].map(option => {
    const dial = option.textContent.split(" ")[1];
    option.textContent = `${names.of(option.value)} (${dial})`;
    return option;
  });
  options.sort((a, b) => a.textContent.localeCompare(b.textContent, language));
  list.append(...options);
  list.value = chosen;
}

const week = document.getElementById("week");
if (week) {
  for (const button of week.querySelectorAll("[data-do]")) button.hidden = false;
  const times = day => [...week.querySelectorAll(`[data-day="${day}"] input`)];
  const has_hours = () => { week.querySelector("[value=hours]").checked = true; };
  week.addEventListener("click", click => {
    const it = click.target.closest("[data-do]");
    if (it?.dataset.do === "copy-monday") {
      for (const day of [1, 2, 3, 4]) times(day).forEach((input, place) => { input.value = times(0)[place]?.value || ""; });
      has_hours();
    }
    if (it?.dataset.do === "empty-day") times(it.closest("[data-day]").dataset.day).forEach(input => { input.value = ""; });
  });
  week.addEventListener("change", change => { if (change.target.type === "time") has_hours(); });
}
