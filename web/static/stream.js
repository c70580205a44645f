// The events of the box, by one EventSource that comes back by itself. `tell(event, id)` gets each;
// besides those of the box there are "up", "lost" (it asks again) and "out" (logged out, it has stopped).
const AGAIN_MS = 1000;

export function listen(after, tell) {
  let last = after;
  let ahead = Infinity;      // this clock before the box's, by the message that came quickest: one may have slept over others
  function seen(call) {
    if (call.age_ms === undefined) return;
    const began = Date.parse(call.started_at);
    ahead = Math.min(ahead, Date.now() - began - call.age_ms);
    call.seen_at = began + ahead;
  }
  function open() {
    const source = new EventSource("/events" + (last ? "?after=" + last : ""));
    source.onopen = () => tell({ kind: "up" }, last);
    source.onmessage = message => {
      last = Number(message.lastEventId);
      const event = JSON.parse(message.data);
      if (event.kind === "now") ahead = Infinity;
      (event.calls || [event]).forEach(seen);
      tell(event, last);
    };
    source.onerror = async () => {
      tell({ kind: "lost" }, last);
      if (source.readyState !== EventSource.CLOSED) return;
      const answer = await fetch("/session", { cache: "no-store" }).catch(() => null);
      if (answer && answer.status === 401) tell({ kind: "out" }, last);
      else setTimeout(open, AGAIN_MS);
    };
  }
  open();
}
