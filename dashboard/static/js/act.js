// Forms that act on an alarm: an answer within five seconds, or a loud word that nothing was done.
import { $, button, lang, say, toast } from "./page.js";
import { setEnded } from "./freshness.js";
import { refreshPanel } from "./parts.js";

const PATIENCE = 5000;

const post = (address, fields) =>
  fetch(address, { method: "POST", body: new URLSearchParams(fields), headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE) });

// The place beside the button where a sentence about this action stands.
const placeFor = (row, form) => {
  const said = form?.isConnected ? form.closest(".actions")?.querySelector("[data-says]") : $("actions")?.querySelector("[data-says]");
  if (said && !row) return said;
  const cell = row?.querySelector(".row-act");
  if (!cell) return said ?? null;
  const made = cell.querySelector(".says") ?? cell.appendChild(Object.assign(document.createElement("p"), { className: "says says-bad" }));
  made.setAttribute("role", "alert");
  return made;
};

const tell = (text, rowId, form) => {
  const place = placeFor(rowId ? $(rowId) : null, form);
  if (!place) { toast(text); return; }
  place.hidden = false;
  place.textContent = text;
  place.at = performance.now();
};

const act = async (form, fields) => {
  const pressed = form.querySelector("button");
  if (pressed.getAttribute("aria-busy") === "true") return;
  const rowId = form.closest(".row")?.id;
  const words = [...pressed.childNodes];
  pressed.setAttribute("aria-busy", "true");
  pressed.replaceChildren(say("waiting"));
  try {
    await settle(await post(form.action, fields), rowId, form);
  } catch {
    tell(say(form.dataset.act === "take" ? "no_answer_take" : "no_answer"), rowId, form);
  } finally {
    pressed.removeAttribute("aria-busy");
    pressed.replaceChildren(...words);
    keepFocus(rowId, pressed);
  }
};

const settle = async (answer, rowId, form) => {
  if (answer.status === 401) { setEnded("out"); return; }
  const body = await answer.json();
  if (body.row) window.trygghub.apply(body.row);
  await refreshPanel();
  if (answer.ok) toast(body.says, body.undo?.url ? undoButton(body.undo) : null, body.undo?.seconds ?? 4);
  else tell(body.says, rowId && $(rowId) ? rowId : null, form);
};

let lastUndo = null;
let underWay = Promise.resolve();

// The stream may show an action before its own answer has come: an undo asked for in between waits for that answer.
export const undoLast = async () => {
  await underWay;
  if (lastUndo?.isConnected && !lastUndo.closest("[hidden]")) lastUndo.click();
};

const undoButton = (undo) => {
  lastUndo = button(say("undo"), async () => {
    $("toast").hidden = true;
    const answer = await post(undo.url, { version: undo.version }).catch(() => null);
    if (!answer) { toast(say("no_answer")); return; }
    const body = await answer.json();
    if (body.row) window.trygghub.apply(body.row);
    await refreshPanel();
    toast(body.says);
  });
  return lastUndo;
};

// The pressed button may be gone with the row it stood in; the keyboard stays where the alarm is.
const keepFocus = (rowId, pressed) => {
  if (pressed.isConnected || document.activeElement !== document.body) return;
  const next = rowId ? $(`b${rowId.slice(1)}`) : $("actions")?.querySelector("button, summary") ?? document.querySelector("main a");
  next?.focus({ preventScroll: true });
};

addEventListener("submit", (event) => {
  const form = event.target.closest?.("form[data-act]");
  if (!form) return;
  event.preventDefault();
  underWay = act(form, new FormData(form));
});
