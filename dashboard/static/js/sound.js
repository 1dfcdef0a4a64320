// Sound follows state, not events: the loudest alarm that nobody has taken and I have not seen (reference section 5).
import { $, me, say, span } from "./page.js";

const PATTERNS = {
  p1: { hertz: 880, starts: [0, 0.2, 0.4, 0.75, 0.95, 1.65, 1.85, 2.05, 2.4, 2.6], length: 0.12, every: 10 },
  p2: { hertz: 660, starts: [0, 0.35, 0.7], length: 0.2, every: 25 },
  p3: { hertz: 440, starts: [0], length: 0.2, every: Infinity },
};
const NIGHT = [22, 7], QUIETER = 0.35;
let context = null;
let mutedUntil = 0;
let playing = "";
let nextAt = 0;
let owner = !navigator.locks;      // of several tabs of one browser only one sounds
const memory = {                   // of this tab, so that going to another page is not a new beginning
  read: (name) => { try { return sessionStorage.getItem("trygghub." + name); } catch { return null; } },
  write: (name, value) => { try { sessionStorage.setItem("trygghub." + name, value); } catch { /* then it is */ } },
};
const onceHeard = new Set(JSON.parse(memory.read("heard") || "[]"));   // P3 sounds once for each alarm
export const bursts = [];          // what was played, for the sound test and the tests

export const running = () => context?.state === "running";

// Draws one burst into any audio context; the tests render it offline.
export const draw = (audio, tier, at = audio.currentTime, volume = 1) => {
  const { hertz, starts, length } = PATTERNS[tier];
  for (const begin of starts) {
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    tone.frequency.value = hertz;
    gain.gain.setValueAtTime(0, at + begin);
    gain.gain.linearRampToValueAtTime(0.5 * volume, at + begin + 0.01);
    gain.gain.setValueAtTime(0.5 * volume, at + begin + length - 0.01);
    gain.gain.linearRampToValueAtTime(0, at + begin + length);
    tone.connect(gain).connect(audio.destination);
    tone.start(at + begin);
    tone.stop(at + begin + length);
  }
};

const isNight = () => { const hour = new Date().getHours(); return hour >= NIGHT[0] || hour < NIGHT[1]; };

export const play = (tier) => {
  if (!running()) return false;
  draw(context, tier, context.currentTime + 0.02, tier !== "p1" && isNight() ? QUIETER : 1);
  bursts.push({ tier, at: performance.now() });
  if (bursts.length > 100) bursts.shift();
  return true;
};

export const soundFault = () => { if (owner) play("p2"); };

// The first gesture of a person unlocks sound; browsers allow it no earlier.
export const unlock = async () => {
  context ??= new AudioContext();
  await context.resume().catch(() => {});
  if (running()) memory.write("sound", "on");
  if (running() && !owner) navigator.locks.request("trygghub-sound", () => { owner = true; return new Promise(() => {}); });
  paint();
  return running();
};

export const mute = (seconds = 60) => { mutedUntil = performance.now() + seconds * 1000; paint(); };
export const isMuted = () => performance.now() < mutedUntil;

const paint = () => {
  const button = $("sound");
  button.hidden = false;
  const state = !running() ? "off" : isMuted() ? "muted" : "on";
  const text = state === "muted" ? say("sound_muted", { time: span(mutedUntil - performance.now()) }) : say(state === "on" ? "sound_on" : "sound_off");
  if (button.dataset.state !== state) button.dataset.state = state;
  if (button.lastElementChild.textContent !== text) button.lastElementChild.textContent = text;
};

const loudest = (alarms) => {
  let tier = "";
  for (const alarm of alarms.values()) {
    if (!alarm.listed || alarm.handling === "taken" || alarm.handling === "snoozed" || alarm.seen.includes(me)) continue;
    if (!(alarm.tier in PATTERNS) || (alarm.tier === "p3" && onceHeard.has(alarm.id))) continue;
    if (!tier || alarm.tier < tier) tier = alarm.tier;
  }
  return tier;
};

// Called often; plays when it is time to. A louder state does not wait for the softer one's pause to end.
export const listen = (alarms, silentSensors) => {
  paint();
  const tier = silentSensors ? "p1" : loudest(alarms);
  if (tier !== playing) {
    if (tier && (!playing || tier < playing)) nextAt = 0;
    playing = tier;
  }
  if (!tier || !owner || isMuted() || !running() || performance.now() < nextAt) return;
  if (!play(tier)) return;
  nextAt = performance.now() + PATTERNS[tier].every * 1000;
  if (tier === "p3") {
    for (const alarm of alarms.values()) if (alarm.tier === "p3") onceHeard.add(alarm.id);
    memory.write("heard", JSON.stringify([...onceHeard].slice(-300)));
    nextAt = 0;
  }
};

// More came for an alarm that sounds already: it is heard again at once.
export const again = () => { nextAt = 0; };

$("sound").addEventListener("click", async () => {
  if (!running()) { if (await unlock()) play("p3"); return; }
  if (isMuted()) mutedUntil = 0; else mute();
  paint();
});
for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, unlock, { once: true, capture: true });
for (const test of document.querySelectorAll("[data-test-sound]")) {
  test.addEventListener("click", async () => { if (await unlock()) play(test.dataset.testSound); });
}
paint();
// Browsers let a tab go on sounding where its user has clicked before; where they do not, the button says so.
if (memory.read("sound") === "on") unlock();
