// A type-ahead list: a few letters, Enter.

const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/[^\p{L}\p{N} ]/gu, " ");

// Says how well letters fit an option: 0 best, Infinity not at all. Beginnings of words first, then initials, then anywhere.
export function rank(letters, label) {
  const wanted = plain(letters).trim();
  const text = plain(label);
  const words = text.split(" ").filter(Boolean);
  if (text.startsWith(wanted)) return 0;
  if (words.some((word) => word.startsWith(wanted))) return 1;
  if (words.map((word) => word[0]).join("").startsWith(wanted)) return 2;
  return text.includes(wanted) ? 3 : Infinity;
}

export class Picker {
  constructor(dialog) {
    this.dialog = dialog;
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("[role=listbox]");
    this.input.addEventListener("input", () => this.show());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("click", (event) => this.take(event.target.closest("[role=option]")));
    dialog.querySelector("button").addEventListener("click", () => dialog.close());
  }

  // Asks for one of the options ({value, label, meaning}); `done` is called with its value.
  ask(title, options, done) {
    Object.assign(this, { options, done, active: 0 });
    this.dialog.querySelector("h2").textContent = title;
    this.input.value = "";
    this.show();
    this.dialog.showModal();
    this.input.focus();
  }

  show() {
    this.active = 0;
    const fits = this.options.map((option, place) => ({ option, place, fit: rank(this.input.value, option.label) }));
    const found = fits.filter((one) => one.fit < Infinity).sort((one, other) => one.fit - other.fit || one.place - other.place);
    this.list.replaceChildren(...found.map(({ option }, place) => this.item(option, place)));
    this.mark();
  }

  item(option, place) {
    const item = document.createElement("li");
    Object.assign(item, { id: `pick-${place}`, textContent: option.label });
    item.setAttribute("role", "option");
    item.dataset.value = option.value;
    const meaning = document.createElement("small");
    meaning.textContent = option.meaning || "";
    item.append(meaning);
    return item;
  }

  mark() {
    [...this.list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === this.active)));
    const chosen = this.list.children[this.active];
    this.input.setAttribute("aria-activedescendant", chosen ? chosen.id : "");
    chosen?.scrollIntoView({ block: "nearest" });
  }

  onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const count = this.list.children.length;
    if (step && count) {
      this.active = (this.active + step + count) % count;
      this.mark();
    } else if (event.key === "Enter") {
      this.take(this.list.children[this.active]);
    } else {
      return;
    }
    event.preventDefault();
  }

  take(item) {
    if (!item) return;
    this.input.blur(); // or the next key, pressed at once, still lands in this field
    this.dialog.close();
    this.done(item.dataset.value);
  }
}
