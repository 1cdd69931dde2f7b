"use strict";
/* What changed between two texts, word by word. */
view.diff = (() => {
  const WORDS = /\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu;
  const LARGEST_TABLE = 4e6;

  /** Return runs of [kind, text]; kind is "same", "gone" or "new". */
  const runs = (before, now) => {
    const one = before.match(WORDS) ?? [];
    const two = now.match(WORDS) ?? [];
    let start = 0;
    while (start < one.length && start < two.length && one[start] === two[start]) start += 1;
    let end = 0;
    while (end < one.length - start && end < two.length - start && one.at(-1 - end) === two.at(-1 - end)) end += 1;
    const found = [];
    const add = (kind, words) => {
      if (!words.length) return;
      if (found.at(-1)?.[0] === kind) found.at(-1)[1] += words.join("");
      else found.push([kind, words.join("")]);
    };
    add("same", one.slice(0, start));
    middle(one.slice(start, one.length - end), two.slice(start, two.length - end), add);
    add("same", one.slice(one.length - end));
    return found;
  };

  const middle = (one, two, add) => {
    if (one.length * two.length > LARGEST_TABLE || !one.length || !two.length) {
      add("gone", one);
      add("new", two);
      return;
    }
    const width = two.length + 1;
    const longest = new Uint16Array((one.length + 1) * width);
    for (let i = one.length - 1; i >= 0; i -= 1) {
      for (let j = two.length - 1; j >= 0; j -= 1) {
        longest[i * width + j] =
          one[i] === two[j]
            ? longest[(i + 1) * width + j + 1] + 1
            : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
      }
    }
    let [i, j] = [0, 0];
    while (i < one.length || j < two.length) {
      if (i < one.length && j < two.length && one[i] === two[j]) {
        add("same", [one[i]]);
        i += 1;
        j += 1;
      } else if (j >= two.length || (i < one.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
        add("gone", [one[i]]);
        i += 1;
      } else {
        add("new", [two[j]]);
        j += 1;
      }
    }
  };

  const TAGS = { same: "span", gone: "del", new: "ins" };

  /** Make an element that shows what changed. */
  const show = (before, now) =>
    view.el(
      "p",
      { class: "words diff", dir: "auto" },
      runs(before, now).map(([kind, text]) => view.el(TAGS[kind], {}, view.visible(text))),
      before === now && view.el("span", { class: "missing" }, " (the same)"),
    );

  return { runs, show };
})();
