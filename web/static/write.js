// The text box: counts texts and characters while one types, with the tables of the box itself, so that both say the same;
// offers plainer spellings; fills in kept answers and fields; asks for the sums again when a form of a group text changes.
const SVG = "http://www.w3.org/2000/svg";
const AGAIN_MS = 800;
const fill = (pattern, given) => pattern.replace(/\{(\w+)\}/g, (_, name) => given[name]);
const part = (box, name) => box.querySelector(`[data-of="${name}"]`);
const tables = new WeakMap();

function tablesOf(box) {
  if (!tables.has(box)) {
    const given = JSON.parse(box.dataset.tables);
    tables.set(box, { ...given, basic: new Set(given.basic), extension: new Set(given.extension) });
  }
  return tables.get(box);
}

export function sizeOf(text, { basic, extension, alone, joined }) {
  const letters = [...text.replace(/\t/g, " ").replace(/[\x00-\x09\x0b\x0e-\x1f\x7f]|\p{Surrogate}/gu, "")];
  const plain = letters.every(letter => basic.has(letter) || extension.has(letter));
  const widths = letters.map(letter => plain ? extension.has(letter) ? 2 : 1 : letter.length);
  const units = widths.reduce((sum, width) => sum + width, 0), which = plain ? 0 : 1;
  if (units <= alone[which]) return { plain, units, segments: units ? 1 : 0, one: alone[which], left: alone[which] - units };
  let segments = 1, left = joined[which];
  for (const width of widths) {
    if (width > left) { segments += 1; left = joined[which]; }
    left -= width;
  }
  return { plain, units, segments, one: joined[which], left };
}

function plainer(text, given) {
  const before = sizeOf(text, given);
  const changes = [...new Set(text)].filter(letter => letter in given.plain && !given.basic.has(letter) && !given.extension.has(letter));
  const spelled = changes.reduce((so_far, letter) => so_far.replaceAll(letter, given.plain[letter]), text);
  const after = sizeOf(spelled, given);
  return after.segments < before.segments ? { text: spelled, changes, before, after } : null;
}

function draw(meter, size, wide) {
  meter.replaceChildren();
  const count = Math.max(size.segments, 1), gap = count > 1 ? 5 : 0, width = Math.floor((wide - gap * (count - 1)) / count);
  if (count > 20) return;
  for (let place = 0; place < count; place += 1) {
    const full = place < count - 1 ? width : Math.round(width * (size.one - size.left) / size.one);
    for (const [name, shown] of [["off", width], ["on", full]]) {
      const bar = document.createElementNS(SVG, "rect");
      for (const [key, value] of Object.entries({ class: name, x: place * (width + gap), y: 0, width: shown, height: 14, rx: 2 })) bar.setAttribute(key, value);
      meter.append(bar);
    }
  }
}

function count(box) {
  const given = tablesOf(box), said = box.dataset, text = box.querySelector("textarea").value;
  const size = sizeOf(text.trim().replaceAll("{shop}", said.shop), given), offer = plainer(text, given);
  const texts = said.texts.split("|");
  draw(box.querySelector(".meter"), size, Number(said.bar));
  part(box, "texts").textContent = texts[size.segments] ?? said.many;
  part(box, "room").textContent = fill(said.room, { units: size.units, room: size.one * Math.max(size.segments, 1) });
  part(box, "left").textContent = fill(said.left, { left: size.left });
  part(box, "alphabet").textContent = size.plain ? said.plain : said.foreign;
  part(box, "offer").hidden = !offer;
  if (offer) part(box, "plainer").textContent = fill(said.plainer, {
    texts: offer.after.segments, before: offer.before.segments,
    changes: offer.changes.map(letter => `${letter} → ${given.plain[letter]}`).join(", ") });
}

function put(area, text, whole) {
  if (whole) area.value = text;
  else area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.focus();
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

// The sums of a form: asked for again a little after the last change, and only the newest answer is shown.
let asking = null, waiting = 0;
async function sums(form) {
  asking?.abort();
  asking = new AbortController();
  const body = new FormData(form);
  body.set("do", "look");
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" }, signal: asking.signal }).catch(() => null);
  if (!answer || answer.status !== 200) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const old of document.querySelectorAll("[data-sums]")) {
    const other = fresh.getElementById(old.id);
    if (other && !other.isEqualNode(old)) old.replaceWith(document.adoptNode(other));
  }
}

document.addEventListener("input", input => {
  const box = input.target.closest('[data-do="write"]');
  if (box) count(box);
  const form = input.target.form;
  if (form?.dataset.do !== "sums" || input.target.type === "file") return;
  clearTimeout(waiting);
  waiting = setTimeout(() => sums(form), AGAIN_MS);
});
document.addEventListener("click", click => {
  const it = click.target.closest("[data-do]");
  if (it?.dataset.do === "plainer") {
    const area = it.closest('[data-do="write"]').querySelector("textarea");
    click.preventDefault();
    put(area, plainer(area.value, tablesOf(it.closest('[data-do="write"]')))?.text ?? area.value, true);
  }
  if (it?.dataset.do === "fill") put(it.closest("form").querySelector("textarea"), it.dataset.text, false);
});
for (const box of document.querySelectorAll('[data-do="write"]')) count(box);
