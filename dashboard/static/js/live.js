// The live page: applies the stream to the list, notices gaps and silence, and gets back in step by itself.
// The protocol and the rules are those of the dashboard reference, section 20.
import { clock, lang, now, root, say, sayNow, sayPolitely, setText, start, toast } from "./page.js";
import * as fresh from "./freshness.js";
import { again, bursts, draw, listen, running } from "./sound.js";
import * as tabs from "./tabs.js";
import { shownList } from "./rows.js";
import * as list from "./rows.js";
import { panelChanged, partsChanged } from "./parts.js";
import { doorChanged } from "./doors.js";
import "./act.js";
import "./keys.js";

const alarms = new Map();      // every open alarm this person may see, also where the page shows no list
let cursor = start.cursor;     // "<epoch>-<seq>"
let behindSince = null;
let countsWrongSince = null;
let syncing = false;
let failures = 0;
let openedAt = performance.now();
let firstBeat = true;
let counts = start.counts;

const seqOf = (text) => Number(text.slice(text.lastIndexOf("-") + 1));
const epochOf = (text) => text.slice(0, text.lastIndexOf("-"));

const alarmOf = ([id, ver, tier, handling, owner, seen, listed]) => ({ id, ver, tier, handling, owner, seen, listed });
const remember = (marks) => { alarms.clear(); for (const mark of marks) alarms.set(mark[0], alarmOf(mark)); };
remember(start.marks);

// ---------------------------------------------------------------- events of the stream

const advance = (id) => {
  if (id && (epochOf(id) !== epochOf(cursor) || seqOf(id) > seqOf(cursor))) cursor = id;
};

const hear = (type, data, id, own) => {
  advance(id);
  ({ a: alarm, n: counted, d: elsewhere, hb: (hb) => heartbeat(hb, own), reset: () => resync(), bye: goingDown, auth: signedOut, full: tooMany, left })[type]?.(data);
};

const alarm = (data) => {
  const before = alarms.get(data.id);
  if (before && data.ver !== undefined && data.ver < before.ver) return;
  if (data.op === "del") alarms.delete(data.id);
  else {
    alarms.set(data.id, { ...data, html: undefined, listed: data.list === "alarms" });
    const sounds = data.handling === "new" && data.list === "alarms";
    if (sounds && data.tier === "p1" && (!before || before.tier !== "p1")) announce(data.name, data.id);
    if (sounds && before && data.ver > before.ver && before.handling === "new") again();
  }
  list.apply(data);
  panelChanged(data.id, data.ver ?? Infinity);
  if (data.home) { partsChanged(data.home); doorChanged(data.home); }
};

const announce = (name, id) => {
  sayNow(name);
  if (shownList() || !id) return;
  const link = Object.assign(document.createElement("a"), { className: "btn", href: `/${lang}/alarms/${id}`, textContent: say("open") });
  toast(`${say("new_p1")} ${name}`, link, 20);
};

const counted = (data) => {
  counts = data;
  paintCounts();
};

const paintCounts = () => {
  if (!fresh.isLive()) return;
  const { untaken, open, work } = counts;
  for (const element of document.querySelectorAll("[data-count-untaken]")) setText(element, String(untaken[element.dataset.countUntaken]));
  for (const element of document.querySelectorAll("[data-count-open]")) setText(element, String(open[element.dataset.countOpen]));
  const badges = { untaken: Object.values(untaken).reduce((sum, n) => sum + n, 0), work };
  for (const element of document.querySelectorAll("[data-badge]")) {
    const number = badges[element.dataset.badge];
    setText(element, String(number));
    element.hidden = !number;
  }
  const text = say("counts", untaken);
  if (text !== paintCounts.said) { if (paintCounts.said) sayPolitely(text); paintCounts.said = text; }
  list.paintFrame(counts);
};

const elsewhere = ({ home }) => { partsChanged(home); doorChanged(home); };

const heartbeat = (hb, own) => {
  fresh.beat(hb);
  failures = 0;
  // Another tab's stream may have moved on before this page began to listen to it.
  const late = !own && firstBeat;
  firstBeat = false;
  if (hb.seq > seqOf(cursor)) {
    behindSince ??= performance.now();
    if (late || performance.now() - behindSince > 5000) resync();
  } else behindSince = null;
  countsAgree(hb.n);
  paintCounts();
  setText(document.querySelector("[data-updated]"), say("updated", { time: clock(now()) }));
  fresh.show();
};

// The server says how many alarms are open; a page that has another number has missed something.
const countsAgree = (number) => {
  const mine = [...alarms.values()].filter((one) => one.listed).length;
  if (mine === number || number > 400) { countsWrongSince = null; return; }
  countsWrongSince ??= performance.now();
  if (performance.now() - countsWrongSince > 5000) { countsWrongSince = performance.now() + 25_000; resync(); }
};

const goingDown = () => fresh.setEnded("bye");
const signedOut = () => { tabs.close(); fresh.setEnded("out"); };
const tooMany = () => { tabs.close(); fresh.setEnded("tabs"); setTimeout(reopen, 10_000); };
const left = ({ seconds, extend }) => fresh.setLeft(seconds, extend);

// ---------------------------------------------------------------- getting back in step

const resync = async () => {
  if (syncing) return;
  syncing = true;
  fresh.setSynced(false);
  try {
    const answer = await fetch(list.source(), { signal: AbortSignal.timeout(5000), headers: { Accept: "application/xhtml+xml" } });
    if (answer.status === 401) { signedOut(); return; }
    if (!answer.ok) throw new Error(String(answer.status));
    inStep(new DOMParser().parseFromString(await answer.text(), "text/html"));
    failures = 0;
  } catch {
    later(resync);
  } finally {
    syncing = false;
  }
};

const inStep = (page) => {
  const board = JSON.parse(page.getElementById("board").textContent);
  const before = new Set(alarms.keys());
  remember(board.marks);
  list.replace(page);
  for (const one of alarms.values()) {
    if (!before.has(one.id) && one.tier === "p1" && one.handling === "new") announce(nameOf(page, one.id), one.id);
  }
  cursor = board.cursor;
  behindSince = countsWrongSince = null;
  counts = board.counts;
  fresh.setSynced(true);
  panelChanged(null, Infinity);
  partsChanged("*");
  doorChanged("*");
  if (tabs.isLeading()) { openedAt = performance.now(); tabs.open(); }
};

const nameOf = (page, id) => page.querySelector(`#t${id}`)?.textContent ?? "";

// Own backoff: half a second to eight, with jitter.
const later = (what) => {
  const wait = Math.min(8000, 500 * 2 ** failures++) * (0.5 + Math.random() / 2);
  setTimeout(what, wait);
};

const reopen = () => {
  openedAt = performance.now();
  tabs.reopen();
};

// ---------------------------------------------------------------- clockwork

const look = () => {
  // EventSource never notices a frozen peer.
  if (root.dataset.fresh !== "out" && fresh.silence() > fresh.OFFLINE && performance.now() - openedAt > 5000) reopen();
  fresh.show();
  listen(alarms, fresh.sensorsSilent());
};

tabs.connect({ hear, fail: () => later(resync), cursorNow: () => cursor });
fresh.onRetry(() => { failures = 0; resync(); reopen(); });
list.onRefill(resync);
setInterval(look, 250);
for (const wake of ["pageshow", "online", "visibilitychange"]) addEventListener(wake, look);
list.decorateAll();
fresh.show();

export const state = () => ({ cursor, alarms: alarms.size, leading: tabs.isLeading() });
window.trygghub = { state, apply: (row) => alarm(row), sound: { bursts, draw, running } };
