// The queue by key: j and k go along the deals, Enter opens as on any link, u undoes, / goes to the filters, ? shows the keys.
"use strict";
(() => {
  const OFF = "lossnlp-keys-off";
  const FIELDS = "textarea, select, input:not([type=checkbox])"; // keys that are pressed here are typed
  const by = (id) => document.getElementById(id);

  function step(way) {
    const links = [...document.querySelectorAll("a.deal")];
    const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const next = links[here < 0 ? 0 : Math.min(Math.max(here + way, 0), links.length - 1)];
    next?.focus();
    next?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  const acts = {
    j: () => step(1),
    k: () => step(-1),
    u: () => by("undo")?.requestSubmit(),
    "/": () => by("reason").focus(),
    "?": () => by("keys").showModal(),
  };

  function onKey(event) {
    if (event.key === "Escape" && event.target.matches(FIELDS)) event.target.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
    if (event.target.matches(FIELDS)) return;
    if (localStorage.getItem(OFF) || !Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    acts[event.key]();
  }

  function showButton() {
    if (by("show-keys")) by("show-keys").hidden = false;
  }

  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    if (event.target.closest("#show-keys")) by("keys").showModal();
  });
  document.addEventListener("htmx:afterSettle", showButton); // the part that was loaded brings a new button
  by("keys-close").addEventListener("click", () => by("keys").close());
  by("keys-on").checked = !localStorage.getItem(OFF);
  by("keys-on").addEventListener("change", ({ target }) => {
    if (target.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "yes");
  });
  showButton();
})();
