// Keeps a deal held for the person while its page is in view, and lets go of it when they leave.
"use strict";
(() => {
  const RENEW_MS = 4 * 60 * 1000;
  const hold = document.getElementById("hold");
  if (!hold) return;
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  const path = `/review/${hold.dataset.review}`;

  // A page that nobody looks at renews nothing: a forgotten tab would keep the deal from everyone.
  async function renew() {
    if (document.hidden) return;
    const answer = await fetch(`${path}/claim`, { method: "POST", headers }).catch(() => null);
    if (!answer || !answer.ok) return;
    const held = await answer.json();
    hold.dataset.until = held.is_mine ? held.until_at : "";
    const text = held.name && !held.is_mine
      ? `${held.name} holds this deal now, until ${held.until_at.slice(11, 16)} UTC at the latest.` : "";
    hold.classList.toggle("notice", text !== "");
    if (hold.textContent !== text) hold.textContent = text;
  }

  function release() {
    if (!hold.dataset.until) return;
    const body = new URLSearchParams({ form_token: headers["x-form-token"], until_at: hold.dataset.until });
    navigator.sendBeacon(`${path}/release`, body);
  }

  setInterval(renew, RENEW_MS);
  document.addEventListener("visibilitychange", renew);
  window.addEventListener("pagehide", release);
  window.addEventListener("pageshow", (event) => { if (event.persisted) renew(); });
})();
