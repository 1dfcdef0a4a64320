// Choices of this device, applied before the first paint. They are kept in the browser, not on the server.
"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const read = (name) => { try { return localStorage.getItem("trygghub." + name); } catch { return null; } };
  const apply = () => {
    const theme = read("theme") || "auto";
    root.dataset.colorScheme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
    root.dataset.flashing = read("flashing") === "off" ? "off" : "on";
    root.dataset.keys = read("keys") === "off" ? "off" : "on";
  };
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  window.trygghubPrefs = {
    read,
    write(name, value) {
      try { localStorage.setItem("trygghub." + name, value); } catch { /* a browser without storage keeps the defaults */ }
      apply();
    },
  };
  apply();
})();
