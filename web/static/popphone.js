// What a desk asks of the box: words with the telephone, and what became of them.
import { part } from "./popcard.js";

const ASKED_MS = 12_000;             // an order to the telephone that is older was not heard
const words = document.getElementById("words").dataset;
const asked = new Map();             // what this page asked of the telephone: a call's key and the order's id

export async function ask_box(path, form) {
  const headers = { Accept: "application/json", "X-Deskbell-Token": document.body.dataset.token };
  const answer = await fetch(path, form ? { method: "POST", body: new URLSearchParams(form), headers } : { headers }).catch(() => null);
  if (!answer?.ok) return { refused: words.unsent, is_lost: true };
  return answer.json();
}

// An order goes out, what became of it comes back as an event.
export async function order(node, key, kind, to = "") {
  const said = part(node, "phone-said");
  const say = text => { said.textContent = text; at_work(node, false); asked.delete(key); };
  at_work(node, true);
  said.textContent = words.asked;
  const answer = await ask_box("/pop/phone", { call_id: key.slice(1), kind, to });
  if (answer.refused) return say(answer.refused);
  asked.set(key, answer.order);
  settle(node, key);
  setTimeout(() => { if (asked.get(key) === answer.order) say(words.unasked); }, ASKED_MS);
}

// What became of it: asked for when an event tells, and once at the start, since the event may have been quicker.
export async function settle(node, key) {
  const id = asked.get(key);
  if (!node || !id) return;
  const answer = await ask_box("/pop/order/" + id);
  if (!["done", "refused"].includes(answer.state) || asked.get(key) !== id) return;
  asked.delete(key);
  at_work(node, false);
  part(node, "to").hidden = true;
  part(node, "phone-said").textContent = answer.refused || "";
}

function at_work(node, is_busy) {
  for (const button of node.querySelectorAll("[data-ask], [data-to], [data-of=to-word]")) button.disabled = is_busy;
}

export function whom(node, kind) {
  const form = part(node, "to"), is_open = !form.hidden && form.dataset.kind === kind;
  form.dataset.kind = kind;
  form.hidden = is_open;
  for (const button of node.querySelectorAll("[data-to]")) button.setAttribute("aria-expanded", String(!is_open && button.dataset.to === kind));
  part(node, "to-word").textContent = words[kind];
  if (!is_open) form.elements.to.focus();
}

export async function dial(number) {
  const answer = await ask_box("/dial", { number });
  toast(answer.refused || answer.said);
  for (let until = Date.now() + ASKED_MS; answer.order && Date.now() < until;) {
    await new Promise(done => setTimeout(done, 700));
    const now = await ask_box("/pop/order/" + answer.order);
    if (now.state === "refused") return toast(now.refused);
    if (now.state === "done") return;
  }
  if (answer.order) toast(words.unasked);
}

export function toast(text) {
  document.querySelector(".toast")?.remove();
  const node = document.getElementById("pop-toast").content.firstElementChild.cloneNode(true);
  document.body.append(node);
  node.querySelector("p").textContent = text;
  node.querySelector("button").addEventListener("click", () => node.remove());
  setTimeout(() => node.remove(), 10_000);
}
