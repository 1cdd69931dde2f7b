"use strict";
/* A list of any length, of which only the rows in sight are elements. The arrow keys move, Enter opens. */
view.VirtualList = class VirtualList {
  constructor({ label, rowHeight, make, open }) {
    Object.assign(this, { rowHeight, make, open, items: [], active: 0, shown: "" });
    this.space = view.el("div", { class: "space" });
    this.element = view.el(
      "div",
      {
        class: "list",
        role: "listbox",
        tabindex: "0",
        "aria-label": label,
        on: {
          scroll: () => this.draw(),
          keydown: (event) => this.key(event),
          click: (event) => {
            const row = event.target.closest("[data-place]");
            if (row) this.open(this.items[Number(row.dataset.place)]);
          },
        },
      },
      this.space,
    );
    new ResizeObserver(() => this.draw(true)).observe(this.element);
  }

  /** Show other items. The place in the list is kept when they only grew in number. */
  set(items, isSame = false) {
    this.items = items;
    if (!isSame) {
      this.active = 0;
      this.element.scrollTop = 0;
    }
    this.active = Math.max(0, Math.min(this.active, items.length - 1));
    this.space.style.setProperty("height", `${items.length * this.rowHeight}px`);
    this.draw(true);
  }

  draw(isForced = false) {
    const height = this.element.clientHeight || 600;
    const from = Math.max(0, Math.floor(this.element.scrollTop / this.rowHeight) - 4);
    const to = Math.min(this.items.length, from + Math.ceil(height / this.rowHeight) + 8);
    const shown = `${from} ${to} ${this.active}`;
    if (!isForced && shown === this.shown) return;
    this.shown = shown;
    const rows = [];
    for (let place = from; place < to; place += 1) {
      rows.push(
        view.el(
          "div",
          {
            class: "row",
            role: "option",
            id: `row-${place}`,
            "data-place": String(place),
            "aria-selected": String(place === this.active),
            "aria-setsize": String(this.items.length),
            "aria-posinset": String(place + 1),
            style: { top: `${place * this.rowHeight}px`, height: `${this.rowHeight}px` },
          },
          this.make(this.items[place]),
        ),
      );
    }
    view.fill(this.space, rows);
    if (this.items.length) this.element.setAttribute("aria-activedescendant", `row-${this.active}`);
    else this.element.removeAttribute("aria-activedescendant");
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.rowHeight) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" && this.items.length) this.open(this.items[this.active]);
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.active = Math.max(0, Math.min(this.items.length - 1, this.active + moves[event.key]));
    const top = this.active * this.rowHeight;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    const lowest = top + this.rowHeight - this.element.clientHeight;
    if (lowest > this.element.scrollTop) this.element.scrollTop = lowest;
    this.draw(true);
  }
};
