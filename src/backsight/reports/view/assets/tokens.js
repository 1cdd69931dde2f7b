"use strict";
/* Tokens, each coloured by a quantity. The one that is looked at is described beside them, with its alternatives. */
view.tokens = (() => {
  const MOST_TOKENS = 3000;
  const difference = (one, two) => (row) =>
    row[one] &&
    row[two] &&
    row[one].map((each, at) => (each === null || row[two][at] === null ? null : each - row[two][at]));

  /** The quantities: what they are of a row, one number a token, and how they read. */
  const QUANTITIES = {
    push: { title: "push of the update", of: (row) => row.push, note: "above 0: made more likely" },
    advantage: { title: "advantage", of: (row) => row.advantage, note: "above 0: better than expected" },
    imitation: { title: "imitation weight", of: (row) => row.imitation, note: "how much the token is imitated" },
    teaching: {
      title: "weight of the teacher",
      of: (row) => row.teaching,
      note: "how much the teacher's distribution counts",
    },
    teacher: {
      title: "teacher − policy",
      of: difference("teacher", "log_prob"),
      note: "nats; above 0: the teacher finds it likelier",
    },
    ratio: {
      title: "ratio to the behaviour",
      of: difference("last", "behaviour"),
      note: "coloured by its logarithm; above 1: likelier than when it was sampled",
      read: (value) => view.num(Math.exp(value)),
    },
    held: {
      title: "held back by the clip",
      of: (row) => row.advantage && row.push.map((each, at) => (row.advantage[at] && !each ? -1 : 0)),
      note: "advantage is not 0, push is 0",
      read: (value) => (value ? "held back" : "no"),
    },
    entropy: { title: "entropy", of: (row) => row.entropy, note: "nats; how open the choice was", read: view.num },
    change: {
      title: "change since the reference",
      of: difference("log_prob", "reference"),
      note: "nats; above 0: likelier than in the reference",
    },
    surprise: { title: "log-probability", of: (row) => row.log_prob, note: "nats, before the update" },
  };

  /** Return the names of the quantities that a row has numbers for. */
  const known = (row) =>
    Object.keys(QUANTITIES).filter((name) => QUANTITIES[name].of(row)?.some((each) => each !== null));

  /** Return the size at which a colour is full: few tokens are beyond it. */
  const fullSize = (values) => {
    const sizes = values
      .filter((each) => each !== null && each !== 0)
      .map(Math.abs)
      .sort((one, two) => one - two);
    return sizes[Math.floor((sizes.length - 1) * 0.95)] ?? 0;
  };

  const paint = (token, value, full) => {
    const strength = value === null || value === undefined ? 0 : Math.min(1, Math.abs(value) / (full || 1));
    token.className = `token${value > 0 ? " up" : value < 0 ? " down" : ""}`;
    token.style.setProperty("--strength", `${Math.round(strength * 78)}%`);
  };

  const shown = (piece) => (piece === "" ? "∅" : view.visible(piece).replace(/\n/g, "⏎\n"));

  /** Describe a token: its numbers, and what else could have been said. */
  const describe = (row, at) => {
    const numbers = known(row).map((name) => {
      const { title, of, read = view.signed } = QUANTITIES[name];
      return view.el(
        "div",
        {},
        view.el("dt", {}, title),
        view.el("dd", {}, of(row)[at] === null ? "–" : read(of(row)[at])),
      );
    });
    const others = row.alternatives?.[at] ?? [];
    const bars = others.map(([text, own]) =>
      view.el(
        "li",
        { class: text === row.pieces[at] ? "chosen" : null, style: { "--share": `${Math.exp(own) * 100}%` } },
        view.el("code", { dir: "auto" }, shown(text)),
        view.el("span", {}, view.percent(Math.exp(own))),
      ),
    );
    const isAmong = others.some(([text]) => text === row.pieces[at]);
    const own = row.log_prob?.[at];
    return [
      view.el(
        "p",
        { class: "looked-at" },
        view.el("code", { dir: "auto" }, shown(row.pieces[at])),
        view.el("span", { class: "quiet" }, ` token ${at + 1} of ${row.pieces.length}`),
      ),
      view.el("dl", { class: "numbers" }, numbers),
      bars.length > 0 && view.el("p", { class: "quiet small" }, "could have been said:"),
      view.el(
        "ul",
        { class: "alternatives" },
        bars,
        !isAmong &&
          own !== null &&
          own !== undefined &&
          others.length > 0 &&
          view.el(
            "li",
            { class: "chosen", style: { "--share": `${Math.exp(own) * 100}%` } },
            view.el("code", { dir: "auto" }, shown(row.pieces[at])),
            view.el("span", {}, view.percent(Math.exp(own))),
          ),
      ),
    ].filter(Boolean);
  };

  /** A painter of rows of tokens, all by one quantity, with one card for the token that is looked at. */
  class Painter {
    constructor(row) {
      this.row = row;
      this.spans = [];
      this.card = view.el(
        "aside",
        { class: "card", "aria-label": "the token that is looked at" },
        view.el("p", { class: "quiet" }, "Point at a token, or move with the arrow keys, to see its numbers."),
      );
      this.at = 0;
    }

    /** Make an element of the tokens from one place to another. The arrow keys move through all that were made. */
    run(from, to, isCut = false) {
      const made = view.el("div", {
        class: "tokens",
        tabindex: this.spans.length ? "-1" : "0",
        role: "group",
        "aria-label": "tokens; arrow keys move",
        dir: "auto",
        on: {
          mouseover: (event) => event.target.dataset?.at && this.look(Number(event.target.dataset.at)),
          click: (event) => event.target.dataset?.at && this.look(Number(event.target.dataset.at)),
          focus: () => this.look(this.at),
          keydown: (event) => this.key(event),
        },
      });
      const until = Math.min(to, from + MOST_TOKENS);
      for (let at = from; at < until; at += 1) {
        this.spans[at] = view.el("span", { class: "token", "data-at": String(at) }, shown(this.row.pieces[at]));
        made.append(this.spans[at]);
      }
      if (until < to) made.append(view.el("span", { class: "missing" }, ` … ${view.count(to - until, "more token")}`));
      if (isCut) made.append(view.el("span", { class: "cut" }, "cut off"));
      return made;
    }

    /** Colour all tokens by a value each, and return the size at which a colour is full. */
    paint(values) {
      const full = fullSize(values);
      this.spans.forEach((each, at) => paint(each, values[at], full));
      this.spans[this.at]?.classList.toggle("here", Boolean(this.isLookedAt));
      return full;
    }

    look(at) {
      this.spans[this.at]?.classList.remove("here");
      this.at = at;
      this.isLookedAt = true;
      this.spans[at]?.classList.add("here");
      view.fill(this.card, this.describe(at));
    }

    describe(at) {
      return describe(this.row, at);
    }

    key(event) {
      const moves = { ArrowRight: this.at + 1, ArrowLeft: this.at - 1, Home: 0, End: this.spans.length - 1 };
      const next = moves[event.key];
      if (!this.spans[next]) return;
      this.look(next);
      this.spans[next].scrollIntoView({ block: "nearest" });
      view.say(this.card.innerText);
      event.preventDefault();
    }
  }

  /** Make the choice of a quantity, which paints at once, with what its colours mean. */
  const choice = (painter, preferred) => {
    const names = known(painter.row);
    if (!names.length) return view.missing("Nothing was measured of these tokens.");
    const scale = view.el("span", { class: "scale" });
    const set = (name) => {
      const { of, note, read = view.signed } = QUANTITIES[name];
      const values = of(painter.row);
      const full = painter.paint(values);
      const ends = [
        values.some((each) => each < 0) && [view.el("i", { class: "down" }), `${read(-full)} `],
        values.some((each) => each > 0) && [view.el("i", { class: "up" }), `${read(full)} `],
      ];
      view.fill(scale, full ? [ends, "and beyond · "] : "0 for all of them · ", note);
    };
    const select = view.el(
      "select",
      { on: { change: () => set(select.value) } },
      names.map((name) => view.el("option", { value: name }, QUANTITIES[name].title)),
    );
    select.value = names.includes(preferred) ? preferred : names[0];
    set(select.value);
    return view.el("p", { class: "choice" }, view.el("label", {}, "colour by ", select), scale);
  };

  /** Make a table of all numbers of a row, built when it is opened. */
  const table = (row) => {
    const names = known(row);
    const made = view.el(
      "details",
      {
        class: "values",
        on: {
          toggle: () => {
            if (made.childElementCount > 1) return;
            const heads = [["token"], ...names.map((name) => [QUANTITIES[name].title, "number"])];
            const values = names.map((name) => [QUANTITIES[name].of(row), QUANTITIES[name].read ?? view.num]);
            made.append(
              view.table(
                "Numbers of each token",
                heads,
                row.pieces
                  .slice(0, MOST_TOKENS)
                  .map((piece, at) => [
                    view.el("code", { dir: "auto" }, shown(piece)),
                    ...values.map(([own, read]) => (own[at] === null ? "–" : read(own[at]))),
                  ]),
              ),
            );
          },
        },
      },
      view.el("summary", {}, "all numbers as a table"),
    );
    return made;
  };

  return { Painter, choice, table, known, QUANTITIES };
})();
