// The door in a dialog over the page it was opened from. The server renders it whole; this opens it, sends its forms,
// and fetches it anew when something about the home changes. No shortcut leads here (reference section 9).
import { $, say } from "./page.js";
import { isLive, setEnded } from "./freshness.js";
import { fetchPage, keep } from "./parts.js";

const PATIENCE = 5000;
const LOOKS_AGAIN = 2000;
const door = () => $("door");
let sending = false;

const alone = (address) => { const url = new URL(address, location.href); url.searchParams.set("alone", "1"); return url; };

// What was chosen and written stays, and with it the mark that keeps one wish from opening a door twice.
const keeping = {
  ...keep,
  callbacks: {
    ...keep.callbacks,
    beforeNodeMorphed: (node, fresh) =>
      !(node.matches?.("input[name=once]") || (node.matches?.("[data-says]") && !node.hidden && !answered())) && keep.callbacks.beforeNodeMorphed(node, fresh),
  },
};
// A sentence that says "wait for the lock" is over when the lock has answered.
let wasAsking = false;
let askingNow = "0";
const answered = () => wasAsking && askingNow === "0";

const put = (fresh) => {
  wasAsking = door().dataset.asking === "1";
  askingNow = fresh.dataset.asking;
  Idiomorph.morph(door(), fresh, keeping);
  nameCancel();
};

// While there is something to choose the way out is "Cancel"; afterwards nothing is cancelled by it.
const nameCancel = () => {
  const cancel = $("door-dialog")?.querySelector(".door-cancel");
  if (cancel) cancel.textContent = say($("unlock-form") ? "cancel" : "close");
};

// ---------------------------------------------------------------- the dialog

const open = async (link) => {
  const page = await fetchPage(alone(link.href)).catch(() => null);
  const fresh = page?.getElementById("door");
  if (!fresh) { location.assign(link.href); return; }
  const dialog = Object.assign(document.createElement("dialog"), { id: "door-dialog", className: "door-dialog" });
  dialog.setAttribute("aria-labelledby", "door-title");
  const cancel = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-2 door-cancel", textContent: say("cancel") });
  cancel.addEventListener("click", () => dialog.close());
  const bar = Object.assign(document.createElement("div"), { className: "door-bar" });
  bar.append(cancel);
  dialog.append(fresh, bar);
  dialog.addEventListener("close", () => { dialog.remove(); $(link.id)?.focus({ preventScroll: true }); });
  document.body.append(dialog);
  nameCancel();
  dialog.showModal();
  cancel.focus();
  askIfStale();
};

addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-open-door]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  if (!$("door-dialog")) open(link);
});

// Nobody opens a door on old news: while the person chooses a reason, the lock is asked where it stands.
const askIfStale = () => {
  const form = door()?.dataset.stale === "1" && door().querySelector("form[data-door=state]");
  if (form && isLive()) send(form, new FormData(form), null);
};

// ---------------------------------------------------------------- asking

const tell = (text) => {
  const place = $("door-says");
  place.hidden = false;
  place.textContent = text;
  place.focus();
};

addEventListener("submit", (event) => {
  const form = event.target.closest?.("form[data-door]");
  if (!form) return;
  event.preventDefault();
  if (!isLive()) { tell(say("door_offline")); return; }
  send(form, new FormData(form), form.querySelector("button"));
});

const send = async (form, fields, pressed) => {
  if (sending) return;
  sending = true;
  pressed?.setAttribute("aria-busy", "true");
  try {
    await settle(await post(form.action, fields), pressed);
  } catch {
    await refresh();
    if (pressed && door()?.contains(pressed)) tell(say("no_answer_door"));
  } finally {
    sending = false;
    pressed?.removeAttribute("aria-busy");
  }
};

const post = (address, fields) =>
  fetch(alone(address), { method: "POST", body: new URLSearchParams(fields), headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });

const settle = async (answer, pressed) => {
  if (answer.redirected || answer.status === 401) { setEnded("out"); return; }
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("door");
  if (!fresh) throw new Error(String(answer.status));
  if (!door()) return;
  if (!pressed) { put(fresh); return; }
  $("door-says").hidden = true;
  const says = fresh.querySelector("[data-says]").textContent;
  put(fresh);
  if (says) tell(says);
  if ($("door-link")) $("door-link").focus();
  else if (!says && !door().contains(document.activeElement)) ($("door-dialog")?.querySelector(".door-cancel") ?? $("main")).focus();
};

// ---------------------------------------------------------------- staying true

let timer = 0;

export const doorChanged = (home) => {
  if (!door() || (home !== "*" && door().dataset.home !== home)) return;
  clearTimeout(timer);
  timer = setTimeout(refresh, 80);
};

const refresh = async () => {
  if (!door()) return;
  const page = await fetchPage(alone(door().dataset.src)).catch(() => null);
  const fresh = page?.getElementById("door");
  if (fresh && door()) put(fresh);
};

// While something is under way it is looked at even if the stream says nothing of it.
setInterval(() => { if (!sending && door()?.dataset.busy === "1") refresh(); }, LOOKS_AGAIN);

if (door()) askIfStale();
