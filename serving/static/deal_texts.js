// The words of a deal: which are lit, and which a person has selected. Places count code points, as the service does;
// strings of JavaScript count UTF-16 units, of which an emoji has two.

export function codePoints(text, units = text.length) {
  let count = 0;
  for (let at = 0; at < units; at += text.codePointAt(at) > 0xffff ? 2 : 1) count += 1;
  return count;
}

export function unitsOf(text, points) {
  let at = 0;
  for (let count = 0; count < points && at < text.length; count += 1) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

const pieces = (root) => [...root.querySelectorAll("[data-at]")];
const startOf = (piece) => Number(piece.dataset.at);
const labelsOf = (mark) => (mark.dataset.labels || "").split(" ").filter(Boolean);
const turnOf = (piece) => piece.closest("[data-turn]")?.dataset.turn ?? null;

// Gives the part of a piece that a range covers: first code point and text, or null.
function covered(piece, range) {
  if (!range.intersectsNode(piece)) return null;
  const text = piece.textContent;
  const unitsBefore = (node, offset) => {
    const before = document.createRange();
    before.selectNodeContents(piece);
    before.setEnd(node, offset);
    return before.toString().length;
  };
  const low = piece.contains(range.startContainer) ? unitsBefore(range.startContainer, range.startOffset) : 0;
  const high = piece.contains(range.endContainer) ? unitsBefore(range.endContainer, range.endOffset) : text.length;
  return low < high ? { piece, start: startOf(piece) + codePoints(text, low), text: text.slice(low, high) } : null;
}

// Gives the place of the words that a range covers, as evidence is kept, or a sentence why there is none.
export function spanOf(range, root) {
  const parts = pieces(root).map((piece) => covered(piece, range)).filter(Boolean);
  if (!parts.length) return { why: "Select words in the texts first." };
  const words = parts[0].piece.closest("[data-document]");
  const turn = turnOf(parts[0].piece);
  let end = parts[0].start;
  for (const part of parts) {
    const isNext = part.start === end && part.piece.closest("[data-document]") === words && turnOf(part.piece) === turn;
    if (!isNext) return { why: "Select words of one turn, without a gap between them." };
    end += codePoints(part.text);
  }
  return trimmed(parts.map((part) => part.text).join(""), parts[0].start, words.dataset.document, turn);
}

function trimmed(text, start, documentId, turn) {
  const kept = text.trim();
  if (!kept) return { why: "Select words in the texts first." };
  const first = start + codePoints(text, text.indexOf(kept));
  const span = { document_id: documentId, start: first, end: first + codePoints(kept), text: kept };
  return { span: turn === null ? span : { ...span, turn: Number(turn) } };
}

function cut(piece, point) {
  const text = piece.textContent;
  const at = unitsOf(text, point - startOf(piece));
  if (at <= 0 || at >= text.length) return;
  const rest = piece.cloneNode(false);
  rest.removeAttribute("id");
  rest.dataset.at = String(point);
  rest.textContent = text.slice(at);
  piece.textContent = text.slice(0, at);
  piece.after(rest);
}

function inSpan(piece, span) {
  const isHere = piece.closest("[data-document]").dataset.document === span.document_id;
  return isHere && turnOf(piece) === (span.turn === undefined ? null : String(span.turn));
}

// Lights the words of a span for one more label.
export function light(root, span, label) {
  for (const point of [span.start, span.end]) {
    for (const piece of pieces(root).filter((one) => inSpan(one, span))) {
      if (startOf(piece) < point && point < startOf(piece) + codePoints(piece.textContent)) cut(piece, point);
    }
  }
  for (const piece of pieces(root).filter((one) => inSpan(one, span))) {
    if (startOf(piece) >= span.start && startOf(piece) < span.end && piece.textContent) relabel(piece, [...labelsOf(piece), label]);
  }
}

// Takes one label off the words of a span.
export function dim(root, span, label) {
  for (const piece of pieces(root).filter((one) => inSpan(one, span))) {
    if (startOf(piece) >= span.start && startOf(piece) < span.end) {
      const left = labelsOf(piece);
      left.splice(left.lastIndexOf(label), 1);
      relabel(piece, left);
    }
  }
}

function relabel(piece, labels) {
  const next = document.createElement(labels.length ? "mark" : "span");
  next.dataset.at = piece.dataset.at;
  if (piece.id) next.id = piece.id;
  if (labels.length) {
    next.dataset.labels = labels.join(" ");
    next.tabIndex = -1;
  }
  next.textContent = piece.textContent;
  piece.replaceWith(next);
}

export class Lights {
  constructor(root, onLabels) {
    this.root = root;
    this.label = null;
    root.addEventListener("click", (event) => {
      const mark = event.target.closest("mark[data-labels]");
      if (mark && getSelection().isCollapsed) onLabels(labelsOf(mark), mark);
    });
  }

  // Lights the spans of one label alone, and goes to the first of them; the same label again lights all.
  choose(label) {
    this.label = this.label === label ? null : label;
    this.root.classList.toggle("focused", this.label !== null);
    for (const mark of this.root.querySelectorAll("mark[data-labels]")) {
      mark.classList.toggle("lit", this.label !== null && labelsOf(mark).includes(this.label));
    }
    return this.label ? this.go(0) : null;
  }

  runs() {
    const wanted = (mark) => mark?.matches?.("mark[data-labels]") && (!this.label || labelsOf(mark).includes(this.label));
    return [...this.root.querySelectorAll("mark[data-labels]")].filter((mark) => wanted(mark) && !wanted(mark.previousElementSibling));
  }

  // Goes `step` spans on from the one that has the focus; 0 goes to the first.
  go(step) {
    const runs = this.runs();
    if (!runs.length) return null;
    const here = runs.indexOf(document.activeElement);
    const place = step === 0 ? 0 : here < 0 ? (step > 0 ? 0 : runs.length - 1) : (here + step + runs.length) % runs.length;
    runs[place].focus({ preventScroll: true });
    runs[place].scrollIntoView({ block: "center" });
    return labelsOf(runs[place]);
  }
}
