// Parts of a page that are fetched anew when something they show has changed: the panel, timelines, tables.
import { $, lang } from "./page.js";
import { decorateAll } from "./rows.js";

export const keep = {
  morphStyle: "outerHTML",
  ignoreActiveValue: true,
  callbacks: {
    // What a person has opened, chosen or written stays.
    beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
    beforeNodeMorphed: (node) => !(node.matches?.("select, textarea, input:not([type=hidden])") && node.value),
  },
};

export const fetchPage = async (address) => {
  const answer = await fetch(address, { signal: AbortSignal.timeout(5000), headers: { Accept: "application/xhtml+xml" } });
  return answer.ok ? withScript(new DOMParser().parseFromString(await answer.text(), "text/html")) : null;
};

// A parser without scripts makes elements of what stands in noscript: buttons that nobody sees, but code would find.
const withScript = (page) => {
  for (const part of page.querySelectorAll("noscript")) part.remove();
  return page;
};

// ---------------------------------------------------------------- the panel

let panelTimer = 0;

export const panelChanged = (id, version) => {
  const panel = $("panel");
  if (!panel || (id !== null && panel.dataset.id !== String(id)) || version < Number(panel.dataset.ver)) return;
  clearTimeout(panelTimer);
  panelTimer = setTimeout(refreshPanel, 60);
};

export const refreshPanel = async () => {
  const panel = $("panel");
  if (!panel) return;
  const page = await fetchPage(panel.dataset.src).catch(() => null);
  const fresh = page?.getElementById("panel");
  if (fresh && $("panel")?.dataset.id === fresh.dataset.id) Idiomorph.morph($("panel"), fresh, keep);
};

const beside = () => { const pane = $("detail"); return pane && getComputedStyle(pane).display !== "none" ? pane : null; };

export const openPanel = async (id) => {
  const pane = beside();
  if (!pane) return false;
  const page = await fetchPage(`/${lang}/alarms/${id}/panel`).catch(() => null);
  const fresh = page?.getElementById("panel");
  if (!fresh) { location.assign(`/${lang}/alarms/${id}`); return true; }
  pane.replaceChildren(fresh);
  pane.scrollTop = 0;
  pane.dataset.open = id;
  const address = new URL(location.href);
  address.searchParams.set("open", id);
  history.replaceState(null, "", address);
  decorateAll();
  return true;
};

addEventListener("click", (event) => {
  const link = event.target.closest?.("#rows a[href]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button || !beside()) return;
  event.preventDefault();
  openPanel(link.pathname.split("/").pop());
});

// ---------------------------------------------------------------- timelines and tables

const EVERY = 3000;
let partsTimer = 0;
let partsAt = -Infinity;

export const partsChanged = (home) => {
  const wanted = [...document.querySelectorAll("[data-live]")].some(({ dataset }) => home === "*" || dataset.live === "*" || dataset.live === home);
  if (!wanted || partsTimer) return;
  partsTimer = setTimeout(refreshParts, Math.max(300, partsAt + EVERY - performance.now()));
};

const refreshParts = async () => {
  partsTimer = 0;
  partsAt = performance.now();
  const page = await fetchPage(location.href).catch(() => null);
  if (!page) return;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    // A timeline with older pages opened below is left as it is: its reader is looking back.
    if (fresh && !part.querySelector("section")) Idiomorph.morph(part, fresh, keep);
  }
  window.htmx?.process?.(document.body);
};
