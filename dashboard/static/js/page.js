// What the page starts from, its texts, and the homes' clock (which is the server's, never this device's).
const source = () => JSON.parse(document.getElementById("board").textContent);
export const start = source();
export const me = start.me;
export const lang = start.lang;
export const $ = (id) => document.getElementById(id);
export const root = document.documentElement;

export const say = (name, words = {}) =>
  start.texts[name].replace(/%\((\w+)\)s/g, (_, key) => String(words[key] ?? ""));

// ---------------------------------------------------------------- time

let heard = { t: start.t, at: performance.now() };
export const setNow = (t) => { heard = { t, at: performance.now() }; };
export const now = () => heard.t + (performance.now() - heard.at) * start.speed;

const clockFormat = new Intl.DateTimeFormat("nb-NO", { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: start.tz });
export const clock = (t) => clockFormat.format(t).replaceAll(".", ":");

export const age = (at) => {
  const seconds = Math.max(0, Math.floor((now() - at) / 1000));
  if (seconds < 60) return say("now");
  if (seconds < 3600) return say("min", { n: Math.floor(seconds / 60) });
  if (seconds < 86400) return say("h", { n: Math.floor(seconds / 3600) });
  return say("d", { n: Math.floor(seconds / 86400) });
};

export const span = (milliseconds) => {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
};

// A wait in words from one hour on: nobody reads 237:37.
const wait = (milliseconds) => {
  const minutes = Math.floor(milliseconds / 60000);
  if (minutes < 60) return span(milliseconds);
  const rest = minutes % 60;
  const hours = say("h", { n: Math.floor(minutes / 60) });
  return rest ? `${hours} ${say("min", { n: rest })}` : hours;
};

export const setText = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };

export const tickTimes = () => {
  for (const element of document.querySelectorAll(".age[data-at]")) setText(element, age(Number(element.dataset.at)));
  for (const element of document.querySelectorAll("[data-next]")) {
    // A person waits in seconds at the wall, also while a demonstration's world runs faster.
    const left = (Number(element.dataset.next) - now()) / start.speed;
    const who = element.dataset.who;
    setText(element, left > 0 ? say("next", { who, time: wait(left) }) : say("next_now", { who }));
  }
};

// ---------------------------------------------------------------- saying things to screen readers

let polite = "";
let politeAt = -Infinity;
export const sayPolitely = (text) => { polite = text; };
const urgent = [];
export const sayNow = (text) => { urgent.push(text); };

// Urgent messages are queued and summed, never dropped; counts are said at most every five seconds.
setInterval(() => {
  if (urgent.length) {
    const all = urgent.splice(0);
    $("say-now").textContent = `${say("new_p1")} ${all.length > 1 ? `${all.length} – ` : ""}${all.join(" … ")}`;
  }
  if (polite && performance.now() - politeAt > 5000) {
    $("say-polite").textContent = polite;
    polite = "";
    politeAt = performance.now();
  }
}, 400);

// ---------------------------------------------------------------- toast

let toastTimer = 0;
export const toast = (text, button = null, seconds = 6) => {
  const box = $("toast");
  clearTimeout(toastTimer);
  box.replaceChildren(Object.assign(document.createElement("span"), { textContent: text }));
  if (button) box.append(button);
  box.hidden = false;
  toastTimer = setTimeout(() => { box.hidden = true; }, seconds * 1000);
};

export const button = (text, onclick, kind = "btn") => {
  const made = Object.assign(document.createElement("button"), { type: "button", className: kind, textContent: text });
  made.addEventListener("click", onclick);
  return made;
};
