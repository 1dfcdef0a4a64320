// The freshness contract: silence must look like failure (reference section 7).
import { $, button, clock, root, say, setNow, start, tickTimes } from "./page.js";
import { soundFault } from "./sound.js";

export const DELAYED = 6, OFFLINE = 10;
const title = document.title;

let good = mark();          // the last heartbeat that came while the snapshot was applied
let begun = false;
let synced = true;
let ended = "";             // "", "out", "bye" or "tabs": what the stream itself said
let silent = null;          // since when no sensor at all has been heard (the homes' time), or null
let left = null;            // seconds until this session ends, or null
let faultSounded = -Infinity;
let tickedAt = -Infinity;
let retry = () => {};

// Both clocks: one stands still while a laptop sleeps, the other may be set by hand.
function mark() { return { perf: performance.now(), wall: Date.now() }; }
const since = (then) => Math.max(performance.now() - then.perf, Math.min(Date.now() - then.wall, 86_400_000)) / 1000;

export const onRetry = (again) => { retry = again; };
export const silence = () => since(good);
export const isLive = () => begun && !ended && since(good) <= OFFLINE;

export const beat = (hb) => {
  setNow(hb.t);
  silent = hb.silent ? hb.t - hb.silent : null;
  const skew = start.speed === 1 ? Math.round(Math.abs(Date.now() - hb.real) / 1000) : 0;
  root.dataset.skew = skew > 30 ? String(skew) : "";
  if (ended === "bye" || ended === "tabs") ended = "";
  if (synced) { good = mark(); begun = true; }
};
export const setSynced = (value) => { synced = value; };
export const setEnded = (how) => { ended = how; show(); };
export const setLeft = (seconds, extend) => { left = { until: performance.now() + seconds * 1000, extend }; };

const state = () => {
  if (ended === "out") return "out";
  const age = since(good);
  if (age > OFFLINE) return "offline";
  if (!begun) return "connecting";
  return age > DELAYED ? "delayed" : "live";
};

export const show = () => {
  const now = state();
  const age = Math.round(since(good));
  if (root.dataset.fresh !== now) root.dataset.fresh = now;
  const chip = $("conn");
  if (chip.dataset.state !== (now === "out" ? "offline" : now)) chip.dataset.state = now === "out" ? "offline" : now;
  const word = { live: "live", delayed: "delayed", offline: "offline", out: "offline", connecting: "connecting" }[now];
  const text = say(word, { n: age });
  if (chip.lastElementChild.textContent !== text) chip.lastElementChild.textContent = text;
  document.title = (now === "offline" || now === "out" ? "⚠ " : "") + title;
  banner(now, age);
  if (now === "offline" || now === "out") {
    blankCounts();
    if (performance.now() - faultSounded > 60_000) { faultSounded = performance.now(); soundFault(); }
  } else {
    faultSounded = -Infinity;
    if (now === "live" && performance.now() - tickedAt > 900) { tickedAt = performance.now(); tickTimes(); }
  }
};

const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });
let shown = "";

// One slot, one meaning: the gravest thing there is to say.
const banner = (now, age) => {
  const box = $("banner");
  const [key, kind, parts, action] = saying(now, age);
  if (box.hidden !== !key) box.hidden = !key;
  if (!key) { shown = ""; return; }
  if (shown === key) {
    const changing = box.querySelector("[data-changing]");
    if (changing && changing.textContent !== parts[1]) changing.textContent = parts[1];
    return;
  }
  shown = key;
  box.dataset.kind = kind;
  const line = document.createElement("p");
  const rest = Object.assign(document.createElement("span"), { textContent: parts[1] });
  rest.dataset.changing = "";
  line.append(bold(parts[0]), " ", rest);
  box.replaceChildren(line);
  if (action) box.append(action());
};

const duty = () => (start.duty ? " " + say("duty_phone", { no: start.duty }) : "");

const saying = (now, age) => {
  const again = () => button(say("try_again"), () => retry());
  if (now === "out") return ["out", "hard", [say("out") + ".", duty()], () => link(say("sign_in"), `/${start.lang}/sign-in`)];
  if (now === "offline" && ended === "tabs") return ["tabs", "hard", [say("tabs"), ""], again];
  if (now === "offline") {
    const phones = matchMedia("(max-width: 700px)").matches ? "" : " " + say("lost_phone_list");
    return ["offline", "hard", [say("lost"), say("lost_age", { n: age }) + phones + duty()], again];
  }
  if (ended === "bye") return ["bye", "soft", [say("bye"), ""], null];
  if (silent !== null) return ["silent", "hard", [say("silent") + ".", say("silent_more", { time: clock(silent) }) + duty()], null];
  const seconds = left ? Math.round((left.until - performance.now()) / 1000) : Infinity;
  if (seconds > 0 && seconds < 120) return ["left", "soft", [say("left", { n: seconds }), ""], left.extend ? stay : () => link(say("sign_in"), `/${start.lang}/sign-in`)];
  if (root.dataset.skew) return ["skew", "soft", [say("skew", { n: root.dataset.skew }), ""], null];
  return ["", "", [], null];
};
export const sensorsSilent = () => silent !== null && state() === "live";

const link = (text, href) => Object.assign(document.createElement("a"), { className: "btn", href, textContent: text });
const stay = () => button(say("stay"), async () => {
  const answer = await fetch(`/${start.lang}/me/stay`, { method: "POST" }).catch(() => null);
  if (answer?.ok) { left = null; show(); }
});

// An old number is a lie.
const blankCounts = () => {
  for (const element of document.querySelectorAll("[data-count-untaken], [data-count-open], [data-badge]")) {
    if (element.textContent !== "–") element.textContent = "–";
  }
};
