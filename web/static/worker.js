// One stream for all pages of a browser: with one a tab, the seventh tab would not load (six connections a host).
import { listen } from "./stream.js";

const ports = new Set();
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
    live.set(event.call_id, event);
  }
  if (event.kind === "out") is_listening = is_known = false;
  for (const port of ports) port.postMessage({ event, id: last });
}

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.bye) {
      ports.delete(port);
      return;
    }
    ports.add(port);
    if (!is_listening) {
      is_listening = true;
      listen(data.after, tell);
    } else if (is_known) {
      port.postMessage({ event: { kind: "now", calls: [...live.values()] }, id: last });
    }
  };
};
