// The page of a deal by key, mouse and touch. Everything acts on the one form of the page, which also works without it.
import { Lights, dim, light, spanOf } from "./deal_texts.js";
import { Picker } from "./deal_pick.js";

const by = (id) => document.getElementById(id);
const all = (query, root = document) => [...root.querySelectorAll(query)];
const form = by("verdict");
const texts = document.querySelector(".texts");
const picker = new Picker(by("pick"));
const lights = new Lights(texts, showLabels);
const OFF = "lossnlp-keys-off";
let mode = "";
let confirming = false;
let lastRange = null;
let seenMs = 0;
let seenSince = document.hidden ? null : performance.now();

const say = (text) => { by("status").textContent = text; };
const titleOf = (select) => document.querySelector(`label[for="${select.id}"]`)?.innerText.trim() || select.name;
const chosen = (select) => select.selectedOptions[0]?.textContent.trim() || "";

// --- what is entered

function state() {
  const data = new FormData(form);
  for (const name of ["seconds", "comment", "form_token"]) data.delete(name);
  return JSON.stringify([...data]);
}

const first = form ? state() : "";
const isChanged = () => Boolean(form) && (form.dataset.changed === "yes" || state() !== first);

// Goes to the next answer; that a question does not arise is chosen by hand.
function cycle(select) {
  do select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
  while (!select.value);
  changed(select);
  say(`${titleOf(select)}: ${chosen(select)}`);
}

function changed(select) {
  select.closest("li")?.classList.toggle("changed", !select.selectedOptions[0].defaultSelected);
  if (select.id === "primary") showPrimary();
  if (select.id === "winback") by("revisit_on").disabled = select.value === "closed";
}

function showPrimary() {
  by("primary-meaning").textContent = by("primary").selectedOptions[0]?.dataset.meaning || "";
}

const box = (code) => all('input[name="reasons"]', form).find((input) => input.value === code);

// Makes a reason the primary one; where both were read, the one before stays as another reason.
function makePrimary(code, { keepsFormer }) {
  const former = by("primary").value;
  if (code === former) return;
  by("primary").value = code;
  if (box(code)) box(code).checked = false;
  if (keepsFormer && box(former)) box(former).checked = true;
  if (code === "unknown") all('input[name="reasons"]', form).forEach((input) => { input.checked = false; });
  showPrimary();
  say(`Primary reason: ${chosen(by("primary"))}. s saves it.`);
}

function pickPrimary() {
  const options = [...by("primary").options].map((one) => ({ value: one.value, label: one.textContent, meaning: one.dataset.meaning }));
  picker.ask("Another primary reason", options, (code) => makePrimary(code, { keepsFormer: false }));
}

// --- evidence

const marked = () => JSON.parse(form.elements.marked.value || "[]");

function labelOptions() {
  const reasons = [...by("primary").options].filter((one) => one.value !== "unknown");
  const elements = all("[data-element]", form);
  return [
    ...reasons.map((one) => ({ value: one.value, label: one.textContent, meaning: one.dataset.meaning })),
    ...elements.map((one) => ({ value: one.name, label: titleOf(one), meaning: "MEDDPICC" })),
    { value: "winback", label: "Way back", meaning: "And when to come back" },
    { value: "external_only", label: "Only outside the team", meaning: "What the note blames" },
    { value: "rep_buyer_conflict", label: "Note and buyer differ", meaning: "" },
  ];
}

// The selection as it is: news of it come late. A press of the button has taken it away, so the last one counts then.
function selectedRange() {
  const selection = getSelection();
  return !selection.isCollapsed && texts.contains(selection.anchorNode) ? selection.getRangeAt(0).cloneRange() : lastRange;
}

function markWords() {
  if (!by("mark-words")) return say("New evidence cannot be marked: the words that were read are not at hand.");
  const range = selectedRange();
  const found = range ? spanOf(range, texts) : { why: "Select words in the texts first." };
  if (found.why) return say(found.why);
  return picker.ask("What do these words show?", labelOptions(), (label) => addMark({ label, ...found.span }));
}

function addMark(mark) {
  form.elements.marked.value = JSON.stringify([...marked(), mark]);
  light(texts, mark, mark.label);
  setLabel(mark.label);
  lastRange = null;
  getSelection().removeAllRanges();
  showMarks();
  say(`Marked as ${nameOf(mark.label)}. s saves it.`);
}

// A label that has evidence holds.
function setLabel(label) {
  const select = all("[data-element]", form).find((one) => one.name === label);
  if (select && select.value === "not_mentioned") {
    select.value = "gap";
    changed(select);
  }
  if (box(label) && by("primary").value !== label) box(label).checked = true;
  if (label === "external_only") form.elements.attribution.value = "external_only";
  if (label === "rep_buyer_conflict") form.elements.rep_buyer_conflict.value = "yes";
}

function showMarks() {
  by("marks").replaceChildren(...marked().map((mark, place) => {
    const item = document.createElement("li");
    const off = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: "Take off" });
    off.addEventListener("click", () => dropMark(place));
    item.append(`${nameOf(mark.label)}: “${mark.text}” `, off);
    return item;
  }));
}

function dropMark(place) {
  const marks = marked();
  const [mark] = marks.splice(place, 1);
  form.elements.marked.value = JSON.stringify(marks);
  dim(texts, mark, mark.label);
  showMarks();
}

const nameOf = (label) => labelOptions().find((one) => one.value === label)?.label
  || document.querySelector(`[data-label="${CSS.escape(label)}"]`)?.textContent || label;

// --- spans and labels

function showLabels(labels) {
  all(".here").forEach((one) => one.classList.remove("here"));
  const entries = labels.map((label) => document.querySelector(`[data-entry="${CSS.escape(label)}"]`)).filter(Boolean);
  entries.forEach((one) => one.classList.add("here"));
  entries[0]?.scrollIntoView({ block: "nearest" });
  say(labels.map(nameOf).join("; "));
}

function step(by_) {
  const labels = lights.go(by_);
  if (labels) showLabels(labels);
  else say("No quote stands in the texts.");
}

// --- saving

function send(kind) {
  if (!form) return say("This deal cannot be judged here now.");
  if (kind !== "change" && isChanged() && !confirming) {
    confirming = true;
    return say(kind === "accept" ? "You changed values: s saves them; a again drops them and accepts." : "You changed values: s saves them; t again drops them.");
  }
  if (kind === "change" && !isChanged()) return say("Nothing is changed; a accepts the reading.");
  return form.requestSubmit(all(`.actions button[value="${kind}"]`, form)[0]);
}

function onSubmit(event) {
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  form.elements.seconds.value = (seenTotalMs() / 1000).toFixed(1);
  return undefined;
}

const seenTotalMs = () => seenMs + (seenSince === null ? 0 : performance.now() - seenSince);

function onVisibility() {
  seenMs = seenTotalMs();
  seenSince = document.hidden ? null : performance.now();
}

// --- keys

function setMode(next) {
  mode = mode === next ? "" : next;
  by("meddpicc")?.classList.toggle("acting", mode === "meddpicc");
  by("flags")?.classList.toggle("acting", mode === "flags");
  if (mode) {
    by(mode).scrollIntoView({ block: "nearest" });
    say(mode === "meddpicc" ? "MEDDPICC: 1 to 8 change an element; Escape ends it." : "Flags: 1 to 4 change an answer; Escape ends it.");
  }
}

function onDigit(digit) {
  const select = mode && document.querySelector(`[data-${mode === "meddpicc" ? "element" : "flag"}="${digit}"]`);
  if (select) return cycle(select);
  const reason = mode ? null : all('ol.labels input[name="reasons"]', form)[Number(digit) - 1];
  if (reason) makePrimary(reason.value, { keepsFormer: true });
  return undefined;
}

const acts = {
  a: () => send("accept"),
  s: () => send("change"),
  t: () => send("cannot_tell"),
  u: () => (by("undo") ? by("undo").requestSubmit() : say("There is no verdict of yours to undo here.")),
  r: () => pickPrimary(),
  m: () => setMode("meddpicc"),
  f: () => setMode("flags"),
  w: () => cycle(by("winback")),
  d: () => by("revisit_on").focus(),
  v: () => by("rivals").querySelector("select").focus(),
  c: () => by("comment").focus(),
  n: () => step(1),
  p: () => step(-1),
  e: () => markWords(),
  "?": () => by("keys").showModal(),
};
const READING = new Set(["n", "p", "u", "?"]);

function onKey(event) {
  if (event.ctrlKey && event.key === "Enter" && event.target === by("comment")) return form.requestSubmit(all('.actions button[value="change"]', form)[0]);
  if (event.key === "Escape") return leave(event);
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return undefined;
  if (event.target.matches("textarea, select, input:not([type=checkbox])")) return undefined;
  if (localStorage.getItem(OFF) && event.key !== "?") return undefined;
  const act = /^[1-9]$/.test(event.key) ? () => onDigit(event.key) : acts[event.key];
  if (!act || (!form && !READING.has(event.key))) return undefined;
  event.preventDefault();
  if (!["a", "t"].includes(event.key)) confirming = false;
  return act();
}

function leave(event) {
  if (document.querySelector("dialog[open]")) return;
  if (event.target.matches("textarea, select, input")) event.target.blur();
  if (mode) setMode(mode);
}

// --- the page

document.documentElement.classList.add("has-script");
document.addEventListener("keydown", onKey);
document.addEventListener("visibilitychange", onVisibility);
document.addEventListener("selectionchange", () => {
  lastRange = selectedRange();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-label]");
  if (!link) return;
  event.preventDefault();
  const labels = lights.choose(link.dataset.label);
  say(labels ? nameOf(link.dataset.label) : "All quotes are lit.");
});
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
by("previous-quote")?.addEventListener("click", () => step(-1));
by("next-quote")?.addEventListener("click", () => step(1));
by("mark-words")?.addEventListener("click", markWords);
by("show-keys").addEventListener("click", () => by("keys").showModal());
by("keys-close").addEventListener("click", () => by("keys").close());
by("keys-on").checked = !localStorage.getItem(OFF);
by("keys-on").addEventListener("change", (event) => (event.target.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "yes")));
if (form) {
  form.addEventListener("submit", onSubmit);
  form.addEventListener("change", (event) => { if (event.target.matches("select")) changed(event.target); });
  for (const mark of marked()) light(texts, mark, mark.label);
  showMarks();
}
