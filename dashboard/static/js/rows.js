// The list of rows: what is where, what is held in place, what the window and the filter leave out.
import { $, clock, me, now, say, setText } from "./page.js";

const WINDOW = 200;
const TOUCHED = 3000;
const SAID = 20_000;
const hovers = matchMedia("(hover: hover)");
let touched = { id: "", at: -Infinity };
let refill = () => {};
let refillTimer = 0;

export const shownList = () => $("list");
export const rows = () => $("rows");
export const onRefill = (again) => { refill = again; };
export const source = () => shownList()?.dataset.src ?? `/${document.documentElement.lang}/live/none`;

addEventListener("touchstart", (event) => {
  touched = { id: event.target.closest?.(".row")?.id ?? "", at: performance.now() };
}, { passive: true });

export const busy = (row) =>
  row.matches(":focus-within") || (hovers.matches && row.matches(":hover")) ||
  (row.id === touched.id && performance.now() - touched.at < TOUCHED);

const passes = (row) => {
  const { zone, mine, onlyUntaken, queue } = shownList().dataset;
  return (!zone || row.dataset.zone === zone) && (!queue || row.dataset.queue === queue) &&
    (mine !== "1" || row.dataset.owner === me) && (onlyUntaken !== "1" || row.dataset.untaken === "1");
};

const parse = (html) => {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
};

// What depends on who looks is derived here; the server decides again when an action comes.
export const decorate = (row) => {
  const mine = row.dataset.owner === me && row.dataset.handling === "taken";
  row.dataset.mine = mine ? "1" : "0";
  setText(row.querySelector("[data-word=open]"), say(mine ? "resolve" : "open"));
  const opened = $("detail")?.dataset.open;
  if (opened && row.id === `a${opened}`) row.dataset.open = "1"; else delete row.dataset.open;
};
export const decorateAll = () => { for (const row of rows()?.children ?? []) decorate(row); };

// ---------------------------------------------------------------- one change

export const apply = (data) => {
  if (!shownList()) return;
  const row = $(`a${data.id}`);
  if (row && data.ver !== undefined && data.ver < Number(row.dataset.ver)) return;
  const fresh = data.html ? parse(data.html) : null;
  const belongs = data.op !== "del" && data.list === shownList().dataset.list && passes(fresh);
  if (belongs && row) change(row, fresh);
  else if (belongs) insert(fresh);
  else if (row) remove(row, fresh);
  paintPill();
};

// A sentence about an action in a row outlives the row's next picture, which may come right behind it.
const keepSaid = (said, row) => {
  if (said && !said.isConnected && performance.now() - said.at < SAID) row?.querySelector(".row-act")?.append(said);
};

const change = (row, fresh) => {
  const key = fresh.dataset.key;
  const said = row.querySelector(".says");
  if (busy(row)) {
    const stays = row.dataset.key;
    morph(row, fresh);
    keepSaid(said, row);
    row.dataset.key = stays;
    if (key === stays) delete row.dataset.held; else row.dataset.held = key;
    decorate(row);
    return;
  }
  decorate(fresh);
  row.replaceWith(fresh);
  keepSaid(said, fresh);
  if (key !== row.dataset.key) place(fresh);
};

const insert = (row) => {
  if (Number(shownList().dataset.page) > 1) return;
  decorate(row);
  place(row);
  const all = rows().children;
  if (all.length <= WINDOW) return;
  shownList().dataset.more = "1";
  for (let index = all.length - 1; index >= 0; index--) {
    if (!busy(all[index])) { all[index].remove(); break; }
  }
};

const remove = (row, fresh) => {
  if (busy(row) && fresh?.dataset.gone) {
    const stays = row.dataset.key;
    morph(row, fresh);
    row.dataset.key = stays;
    row.dataset.held = "gone";
    decorate(row);
    return;
  }
  row.remove();
  if (shownList().dataset.more === "1") {
    clearTimeout(refillTimer);
    refillTimer = setTimeout(refill, 1000);
  }
};

const morph = (row, fresh) => Idiomorph.morph(row, fresh, { morphStyle: "outerHTML", ignoreActiveValue: true });

// Binary search by key. It is always a real insertion: a row that belongs last, or into an empty list, has no
// next sibling either and must not be taken for one that is already in its place.
const place = (row) => {
  const others = [...rows().children].filter((other) => other !== row);
  let low = 0, high = others.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (others[middle].dataset.key < row.dataset.key) low = middle + 1; else high = middle;
  }
  rows().insertBefore(row, others[low] ?? null);
};

// ---------------------------------------------------------------- rows held in their place

const held = () => [...(rows()?.querySelectorAll("[data-held]") ?? [])];

const release = (row) => {
  const key = row.dataset.held;
  delete row.dataset.held;
  if (key === "gone") { row.remove(); return; }
  row.dataset.key = key;
  place(row);
};

export const onRelease = () => { for (const row of held()) if (!busy(row)) release(row); paintPill(); };

export const releaseAll = () => {
  const focused = document.activeElement?.id;
  for (const row of held()) release(row);
  paintPill();
  if (focused && focused !== "pill") $(focused)?.focus({ preventScroll: true });
};

const paintPill = () => {
  const pill = $("pill");
  if (!pill) return;
  const waiting = held().length;
  pill.hidden = !waiting;
  setText(pill, waiting ? say("pill", { n: waiting }) : "");
};

$("pill")?.addEventListener("click", releaseAll);
if (shownList()) setInterval(onRelease, 1000);

// ---------------------------------------------------------------- the whole list

// The row that has the focus keeps it: only ids that went are removed, all others are changed where they are.
export const replace = (page) => {
  const fresh = page.getElementById("list");
  if (!shownList() || !fresh) return;
  Idiomorph.morph(shownList(), fresh, { morphStyle: "outerHTML", ignoreActiveValue: true });
  decorateAll();
  paintPill();
};

// What stands around the rows: the words of an empty list, and critical alarms that the filter leaves out.
export const paintFrame = (counts) => {
  const frame = shownList();
  if (!frame) return;
  const { list, zone, mine, onlyUntaken, queue } = frame.dataset;
  const filtered = Boolean(zone || queue || mine === "1" || onlyUntaken === "1");
  const total = list === "work" ? counts.work : Object.values(counts.open).reduce((sum, n) => sum + n, 0);
  const empty = rows().children.length === 0;
  $("empty").hidden = !empty;
  if (empty) {
    const texts = filtered && total ? say("no_match", { n: total }) : say(list === "work" ? "empty_work" : "empty", { time: clock(now()) });
    setText($("empty").querySelector("p"), texts);
    const link = $("empty").querySelector("a");
    if (link) link.hidden = !(filtered && total);
  }
  const seen = rows().querySelectorAll('[data-tier="p1"]:not([data-gone])').length;
  const outside = filtered && list === "alarms" ? Math.max(0, counts.open.p1 - seen) : 0;
  $("outside").hidden = !outside;
  setText($("outside").querySelector("a"), say("outside", { n: outside }));
};
