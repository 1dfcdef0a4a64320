// One stream for one browser: a Web Lock picks the tab that owns it, a BroadcastChannel feeds the others.
// Over HTTP/1.1 a seventh open stream would hang (reference section 20, Tabs).
import { lang, me } from "./page.js";

const EVENTS = ["a", "n", "d", "hb", "reset", "bye", "auth", "full", "left"];
const NAME = `trygghub-${me}-${lang}`;
const shared = "locks" in navigator && "BroadcastChannel" in window;
const channel = shared ? new BroadcastChannel(NAME) : null;

let stream = null;
let leading = !shared;
let hear = () => {};
let fail = () => {};
let cursorNow = () => "";
let release = null;

export const isLeading = () => leading;

// hear(type, data, id, own): one event. fail(): the stream is broken for good and is to be opened anew.
export const connect = (callbacks) => {
  ({ hear, fail, cursorNow } = callbacks);
  if (!shared) { open(); return; }
  channel.onmessage = ({ data }) => {
    if (data.type === "hello") greet();
    else if (!leading) hear(data.type, data.data, data.id, false);
  };
  channel.postMessage({ type: "hello" });
  lead({});
};

// A tab that has just opened asks for the last heartbeat, so that it need not wait for the next.
let lastBeat = null;
const greet = () => {
  if (leading && lastBeat && performance.now() - lastBeat.at < 2500) channel.postMessage(lastBeat.message);
};

// steal: the tab that leads says nothing any more (closed by force, frozen); another takes its place.
const lead = (how) => {
  navigator.locks.request(NAME, how, () => {
    leading = true;
    open();
    return new Promise((done) => { release = done; });
  }).catch(() => { step_down(); });
};

const step_down = () => {
  leading = false;
  release = null;
  close();
  lead({});
};

export const open = () => {
  close();
  stream = new EventSource(`/${lang}/live?after=${encodeURIComponent(cursorNow())}`);
  const mine = stream;
  for (const type of EVENTS) {
    mine.addEventListener(type, (event) => {
      if (mine !== stream) return;
      const data = JSON.parse(event.data);
      const message = { type, data, id: event.lastEventId };
      if (type === "hb") lastBeat = { message, at: performance.now() };
      hear(type, data, event.lastEventId, true);
      channel?.postMessage(message);
    });
  }
  mine.onerror = () => { if (mine === stream && mine.readyState === EventSource.CLOSED) { close(); fail(); } };
};

export const close = () => { stream?.close(); stream = null; };

// Nothing heard for too long. The leader opens anew; another tab becomes the leader.
export const reopen = () => {
  if (leading) open();
  else lead({ steal: true });
};
