// One stream for all pages of a browser: with one a tab, the seventh tab would not load (six connections a host).
// It also says which of the pages rings and which one notifies: twelve tabs must not ring twelve times.
import { listen } from "./stream.js";

const ALIVE_MS = 150_000;    // a page says every half minute that it is there, a hidden one once in a while
const ports = new Map();     // each page: when it was heard of, whether it is seen, whether it may make a sound
const live = new Map();      // what rings and talks, for a page that comes later
let is_listening = false, is_known = false, last = 0;

function tell(event, id) {
  last = id || last;
  if (event.kind === "now") {
    is_known = true;
    live.clear();
    for (const call of event.calls) live.set(call.call_id, call);
  } else if (event.state === "ended") {
    live.delete(event.call_id);
  } else if (event.state) {
    live.set(event.call_id, { ...live.get(event.call_id), ...event });
  }
  if (event.kind === "out") is_listening = is_known = false;
  const rings = first(page => page.can_ring), notifies = first(page => page.is_seen);
  for (const port of ports.keys()) {
    port.postMessage({ event, id: last, rings: port === rings, notifies: port === notifies });
  }
}

// The page for which `fits` is true and that was there last; if it fits none, the one that was there last.
function first(fits) {
  const there = [...ports].filter(([, page]) => Date.now() - page.at < ALIVE_MS);
  there.sort(([, a], [, b]) => Boolean(fits(b)) - Boolean(fits(a)) || b.at - a.at);
  return there[0]?.[0];
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.bye) {
      ports.delete(port);
      return;
    }
    const is_new = !ports.has(port) || data.again;
    ports.set(port, { at: Date.now(), is_seen: data.is_seen, can_ring: data.can_ring });
    if (!is_listening) {
      is_listening = true;
      listen(data.after, tell);
    } else if (is_known && is_new) {
      const rings = port === first(page => page.can_ring), notifies = port === first(page => page.is_seen);
      port.postMessage({ event: { kind: "now", calls: [...live.values()] }, id: last, rings, notifies });
    }
  };
};
