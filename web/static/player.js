// The player: one at a time, a real range to seek with, ten seconds back and on, three speeds. And what was done beside
// it (a mark, a note, a star) is done without loading the page anew, so that the sound goes on.
const TOAST_MS = 10_000;
let speed = 1;

function clock(seconds) {
  const whole = Math.floor(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

class Player extends HTMLElement {
  connectedCallback() {
    if (this.audio) return;
    this.audio = this.querySelector("audio");
    this.deck = this.querySelector(".deck");
    this.range = this.querySelector("input[type=range]");
    this.now = this.querySelector(".deck b");
    this.button = this.querySelector("[data-do=play]");
    this.rect = this.querySelector("clipPath rect");
    this.line = this.querySelector(".head-line");
    this.seconds = this.dataset.ms / 1000;
    this.at = 0;
    this.audio.controls = false;
    this.audio.hidden = true;
    this.deck.hidden = false;
    this.classList.add("on");
    this.range.addEventListener("input", () => this.seek(Number(this.range.value)));
    this.addEventListener("click", click => this.pressed(click.target.closest("button")));
    for (const name of ["play", "pause", "ended"]) this.audio.addEventListener(name, () => this.turned());
    this.audio.addEventListener("timeupdate", () => this.show(this.audio.currentTime));
    this.audio.addEventListener("loadedmetadata", () => { if (this.at) this.audio.currentTime = this.at; });
    this.audio.addEventListener("error", () => this.silent(), true);
    this.querySelector(".wave svg")?.addEventListener("click", click => {
      const box = click.currentTarget.getBoundingClientRect();
      this.seek((click.clientX - box.left) / box.width * this.seconds);
    });
    this.show(0);
    this.fast(speed);
    if ("begin" in this.dataset && document.body.dataset.touched) this.play();
  }

  disconnectedCallback() { this.audio.pause(); }

  pressed(button) {
    if (!button) return;
    if (button === this.button) return void (this.audio.paused ? this.play() : this.audio.pause());
    if (button.dataset.by) this.seek(this.at + Number(button.dataset.by));
    if (button.dataset.speed) this.fast(Number(button.dataset.speed));
  }

  play() {
    this.querySelector(".silent").hidden = true;
    for (const other of document.querySelectorAll("desk-player")) if (other !== this) other.audio?.pause();
    this.audio.play().catch(refused => { if (refused.name === "NotSupportedError") this.silent(); });
  }

  // Before a byte of it is here the place is only remembered: nobody has listened yet.
  seek(seconds) {
    const at = Math.min(this.seconds, Math.max(0, seconds));
    if (this.audio.readyState) this.audio.currentTime = at;
    this.show(at);
  }

  fast(times) {
    speed = this.audio.defaultPlaybackRate = this.audio.playbackRate = times;
    for (const chip of this.querySelectorAll("[data-speed]")) chip.ariaPressed = String(Number(chip.dataset.speed) === times);
  }

  turned() {
    const plays = !this.audio.paused && !this.audio.ended;
    this.classList.toggle("playing", plays);
    this.button.ariaLabel = plays ? this.dataset.pause : this.dataset.play;
  }

  show(seconds) {
    this.at = seconds;
    const whole = Math.min(Math.round(this.seconds), Math.floor(seconds));
    this.range.value = whole;
    this.range.setAttribute("aria-valuetext", this.dataset.at.replace("{at}", this.said(whole)).replace("{all}", this.said(Math.round(this.seconds))));
    this.now.textContent = clock(seconds);
    if (!this.rect) return;
    const width = this.rect.ownerSVGElement.viewBox.baseVal.width * Math.min(1, seconds / this.seconds);
    this.rect.setAttribute("width", width);
    this.line.setAttribute("d", `M${width} 4v104`);
  }

  said(seconds) {
    const unit = (n, name) => new Intl.NumberFormat(this.dataset.language, { style: "unit", unit: name, unitDisplay: "long" }).format(n);
    const minutes = Math.floor(seconds / 60);
    return minutes ? `${unit(minutes, "minute")} ${unit(seconds % 60, "second")}` : unit(seconds, "second");
  }

  silent() {
    const last = this.audio.querySelector("source:last-of-type");
    if (this.audio.error || this.audio.networkState === HTMLMediaElement.NETWORK_NO_SOURCE || !last) {
      this.querySelector(".silent").hidden = false;
      this.turned();
    }
  }
}

function toasted(fresh) {
  document.querySelector(".toast")?.remove();
  const toast = fresh.querySelector(".toast");
  if (!toast) return;
  document.body.append(document.adoptNode(toast));
  const fade = () => toast.matches(":hover, :focus-within") ? setTimeout(fade, 1000) : toast.remove();
  setTimeout(fade, TOAST_MS);
  toast.querySelector("[data-do=close-toast]")?.addEventListener("click", click => { click.preventDefault(); toast.remove(); });
}

document.addEventListener("submit", async submit => {
  const form = submit.target, what = form.dataset.do;
  if (what !== "beside" && what !== "star") return;
  submit.preventDefault();
  const body = new URLSearchParams(new FormData(form, submit.submitter));
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) return void form.submit();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const place = what === "star" ? form : form.closest("section[id]");
  const other = what === "star" ? fresh.querySelector(`form[action="${form.getAttribute("action")}"]`) : fresh.getElementById(place.id);
  if (!other) return void location.reload();
  const typed = place.querySelector("textarea"), is_note = form.contains(typed);
  if (typed && !is_note) other.querySelector("textarea").value = typed.value;      // a mark throws no half-written note away
  const name = submit.submitter?.name, at = name ? [...place.querySelectorAll(`[name="${name}"]`)].indexOf(submit.submitter) : -1;
  place.replaceWith(document.adoptNode(other));
  (at < 0 ? other.querySelector("button:not([name])") : other.querySelectorAll(`[name="${name}"]`)[at])?.focus({ preventScroll: true });
  toasted(fresh);
});

document.addEventListener("pointerdown", () => { document.body.dataset.touched = "1"; }, { once: true });
document.addEventListener("keydown", () => { document.body.dataset.touched = "1"; }, { once: true });
customElements.define("desk-player", Player);
