"use strict";
/* What every part of the page uses: elements, text that a model wrote, and numbers as people read them. */
const view = {};

/** Make an element. Children are elements or text; text becomes part of the page as text, never as markup. */
view.el = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (name === "style") for (const [key, own] of Object.entries(value)) made.style.setProperty(key, own);
    else if (name === "value") made.value = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return made;
};

/** Put children in the place of what an element holds. */
view.fill = (place, ...children) => {
  place.replaceChildren(
    ...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false),
  );
  return place;
};

const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** Return a text with characters written out that are invisible, or change the direction of those beside them. */
view.visible = (text) =>
  text.replace(UNSEEN, (each) => {
    const code = each.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });

/** Return the beginning of a text in one line. */
view.excerpt = (text, length = 240) => {
  const begun = text
    .slice(0, length * 2)
    .replace(/\s+/g, " ")
    .trim();
  return view.visible(begun.length > length || text.length > length * 2 ? `${begun.slice(0, length)}…` : begun);
};

/** Return a number for people: three digits, thousands apart, a real minus. */
view.num = (value, digits = 3) => {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  let text;
  if (size >= 10 ** digits) text = Math.round(value).toLocaleString("en-US");
  else if (size !== 0 && size < 1e-4) text = value.toExponential(digits - 1);
  else text = String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
};

view.signed = (value, digits = 3) => (value > 0 ? `+${view.num(value, digits)}` : view.num(value, digits));

view.percent = (share) => {
  if (!Number.isFinite(share)) return "–";
  const hundredths = share * 100;
  return `${Math.abs(hundredths) < 9.95 ? hundredths.toFixed(1) : Math.round(hundredths)} %`;
};

view.count = (number, one, many = `${one}s`) => `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`;

/** Tell a person who listens to the page what has changed. */
view.say = (text) => {
  document.getElementById("spoken").textContent = text;
};

/** Return the address of a place in the page. */
view.link = (place, query = {}) => {
  const words = new URLSearchParams();
  const run = query.run ?? view.route?.query.get("run");
  for (const [name, value] of Object.entries({ ...query, run })) {
    if (value !== null && value !== undefined && value !== "") words.set(name, value);
  }
  const text = words.toString();
  return `#/${place}${text ? `?${text}` : ""}`;
};

/** Most rows of a table that does not scroll by itself. */
const MOST_ROWS = 30;

/** Make a table: heads are texts or [text, class]; rows are lists of cells. It scrolls by itself. */
view.table = (caption, heads, rows) =>
  view.el(
    "div",
    { class: rows.length > MOST_ROWS ? "wide tall" : "wide", tabindex: "0", role: "region", "aria-label": caption },
    view.el(
      "table",
      {},
      view.el("caption", { class: "unseen" }, caption),
      view.el(
        "thead",
        {},
        view.el(
          "tr",
          {},
          heads.map((each) => view.el("th", { scope: "col", class: each[1] }, each[0])),
        ),
      ),
      view.el(
        "tbody",
        {},
        rows.map((cells) =>
          view.el(
            "tr",
            {},
            cells.map((cell, at) => view.el("td", { class: heads[at][1] }, cell)),
          ),
        ),
      ),
    ),
  );

/** Make a line that says what is not there, and why. */
view.missing = (...words) => view.el("p", { class: "missing" }, ...words);
