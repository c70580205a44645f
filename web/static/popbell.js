// What a call does besides rising: a soft ring, a notification; and the sentences that say why it cannot.
const RINGS = 10, EVERY_S = 3, SILENT = 0.0001, LOUD = 0.12;
const TONES = [[0, 659], [0.24, 523], [0.9, 659], [1.14, 523]];      // twice two tones, then a pause
const words = document.getElementById("words").dataset;
let sound = null, ringing = null, is_to_ring = false, shower = null, is_distrusted = false, tell = () => null;
const wanted = new Set();      // calls whose notification stands or is about to

export const may = { ring: words.sound === "1", is_muted: words.muted === "1" };

// A sound device takes a moment to start, or a first click: what could not ring till then rings now.
function turned() {
  say();
  tell();
  if (is_to_ring) ring();
}

function context() {
  try {
    if (!sound) (sound = new AudioContext()).onstatechange = turned;
  } catch { /* no sound device, or none allowed */ }
  return sound;
}

export function on_turn(listener) { tell = listener; }

export const can_ring = () => may.ring && !may.is_muted && context()?.state === "running";

export function ring() {
  is_to_ring = true;
  if (!can_ring() || ringing) return;
  ringing = sound.createGain();
  ringing.connect(sound.destination);
  for (let round = 0; round < RINGS; round += 1) {
    for (const [after, hertz] of TONES) tone(sound.currentTime + 0.02 + round * EVERY_S + after, hertz);
  }
  const mine = ringing;
  setTimeout(() => { if (ringing === mine) hush(); }, RINGS * EVERY_S * 1000);
}

function tone(at, hertz) {
  const voice = sound.createOscillator(), swell = sound.createGain();
  voice.frequency.value = hertz;
  swell.gain.setValueAtTime(SILENT, at);
  swell.gain.exponentialRampToValueAtTime(LOUD, at + 0.03);
  swell.gain.exponentialRampToValueAtTime(SILENT, at + 0.6);
  voice.connect(swell).connect(ringing);
  voice.start(at);
  voice.stop(at + 0.62);
}

export function hush() {
  is_to_ring = false;
  ringing?.disconnect();
  ringing = null;
}

const can_notify = () => isSecureContext && "serviceWorker" in navigator && "Notification" in window;

async function registration() {
  if (!can_notify() || Notification.permission !== "granted") return null;
  try {
    shower ??= await navigator.serviceWorker.register(words.notifier);
    await active(shower);
    is_distrusted = false;
  } catch {
    is_distrusted = true;      // a certificate the browser was told to put up with is not one it trusts
  }
  return shower;
}

// A worker that was registered just now takes a moment; until then it would refuse to show anything.
function active({ installing, waiting, active }) {
  const worker = installing || waiting;
  return active || !worker ? null : new Promise(done => {
    const look = () => { if (["activated", "redundant"].includes(worker.state)) done(); };
    worker.addEventListener("statechange", look);
    look();
  });
}

// Chromium forgets a notification that is being shown while any page asks which ones stand: it could never be closed again.
const alone = work => navigator.locks.request("deskbell.notices", work);

export async function show(key, title, body, page) {
  wanted.add(key);
  const by = await registration();
  say();
  if (!by) return;
  await alone(async () => {
    if (!wanted.has(key)) return;
    try {
      await by.showNotification(title, { tag: key, body, icon: words.icon, data: { page }, silent: true });
    } catch (refused) {
      console.error(`The notification was not shown: ${refused.message}`);
    }
  });
}

export async function unshow(key) {
  wanted.delete(key);
  if (shower) await alone(async () => {
    for (const one of await shower.getNotifications({ tag: key })) one.close();
  });
}

function about_sound() {
  if (!may.ring) return words.soundHouse;
  if (may.is_muted) return words.soundMuted;
  return can_ring() ? words.soundOn : words.soundBlocked;
}

function about_notices() {
  if (!isSecureContext) return words.noticeInsecure;
  if (!can_notify()) return words.noticeNone;
  if (is_distrusted) return words.noticeDistrusted;
  return { granted: words.noticeOn, denied: words.noticeDenied, default: words.noticeAsk }[Notification.permission];
}

export function say() {
  const set = (what, text) => {
    for (const place of document.querySelectorAll(`[data-say="${what}"]`)) if (place.textContent !== text) place.textContent = text;
  };
  set("sound", about_sound());
  set("notices", about_notices());
  const is_asking = can_notify() && Notification.permission === "default";
  for (const it of document.querySelectorAll("[data-do=notify]")) it.hidden = !is_asking;
  for (const it of document.querySelectorAll("[data-when=distrusted]")) it.hidden = isSecureContext && !is_distrusted;
  for (const form of document.querySelectorAll("form[action='/pop/mute']")) {
    form.querySelector("[name=muted]").value = may.is_muted ? "0" : "1";
    form.classList.toggle("muted", may.is_muted);
  }
}

export async function begin() {
  document.addEventListener("click", async click => {
    if (sound?.state === "suspended") await sound.resume().catch(() => null);
    if (click.target.closest("[data-do=notify]")) {
      await Notification.requestPermission();
      await registration();
    }
    say();
  });
  say();
  await registration();
  say();
}
