// Keyboard shortcuts (reference section 11). None in text fields, none that opens a door; all can be switched off.
import { $, lang, root } from "./page.js";
import { rows } from "./rows.js";
import { mute } from "./sound.js";
import { undoLast } from "./act.js";

const current = () => document.activeElement?.closest?.(".row");

const step = (by) => {
  const all = [...(rows()?.children ?? [])];
  if (!all.length) return;
  const index = all.indexOf(current());
  const next = all[Math.min(all.length - 1, Math.max(0, index < 0 ? 0 : index + by))];
  next.querySelector(".row-title").focus();
};

const submit = (act) => {
  const row = current();
  const form = row?.querySelector(`form[data-act=${act}]`) ?? (row ? null : $("actions")?.querySelector(`form[data-act=${act}]`));
  if (form) form.requestSubmit();
  else if (row && act === "seen") { seen(row); }
};

const seen = (row) => {
  const form = Object.assign(document.createElement("form"), { method: "post", action: `/${lang}/alarms/${row.id.slice(1)}/seen` });
  form.dataset.act = "seen";
  form.append(Object.assign(document.createElement("input"), { type: "hidden", name: "version", value: row.dataset.ver }), document.createElement("button"));
  form.hidden = true;
  row.querySelector(".row-act").append(form);
  form.requestSubmit();
  form.remove();
};

const resolve = () => {
  const details = $("resolve");
  if (details) { details.open = true; details.querySelector("select").focus(); return; }
  const row = current();
  if (row) row.querySelector(".row-title").click();
};

const KEYS = {
  j: () => step(1), k: () => step(-1), t: () => submit("take"), s: () => submit("seen"), r: resolve,
  u: undoLast, m: () => mute(60), "/": () => ($("q") ?? { focus: () => location.assign(`/${lang}/residents`) }).focus(),
  "?": () => location.assign(`/${lang}/about`),
};
const GO = { a: "alarms", b: "residents" };
let going = 0;

addEventListener("keydown", (event) => {
  if (root.dataset.keys === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches?.("input, select, textarea, [contenteditable]")) return;
  if (performance.now() - going < 1500 && GO[event.key]) { event.preventDefault(); location.assign(`/${lang}/${GO[event.key]}`); return; }
  if (event.key === "g") { going = performance.now(); return; }
  const does = KEYS[event.key];
  if (does) { event.preventDefault(); does(); }
});

// ---------------------------------------------------------------- choices on My page

const prefs = window.trygghubPrefs;
const paint = () => {
  for (const choice of document.querySelectorAll("[data-pref]")) {
    choice.setAttribute("aria-pressed", String((prefs.read(choice.dataset.pref) || "auto") === choice.dataset.value));
  }
  for (const box of document.querySelectorAll("[data-switch]")) box.checked = prefs.read(box.dataset.switch) === "off";
};
addEventListener("click", (event) => {
  const choice = event.target.closest?.("[data-pref]");
  if (choice) { prefs.write(choice.dataset.pref, choice.dataset.value); paint(); }
});
addEventListener("change", (event) => {
  const box = event.target.closest?.("[data-switch]");
  if (box) { prefs.write(box.dataset.switch, box.checked ? "off" : "on"); paint(); }
});
paint();
