"use strict";
/* What a step did to an attempt: the row that each method made of it, as a difference, and token by token. */
view.traced = (() => {
  const PLACES = ["reward", "prompt", "response", "advantage", "target"];

  const texts = (prompts) => prompts.map(view.promptText).join("\n");
  const turnsOf = (row) => {
    let from = 0;
    return row.turns.map((length) => {
      from += length;
      return [from - length, from];
    });
  };
  const response = (row) =>
    turnsOf(row)
      .map(([from, to]) => row.pieces.slice(from, to).join(""))
      .join("\n");

  const places = (row) => {
    if (!row.places.some((each) => PLACES.includes(each)))
      return view.el("p", { class: "quiet small" }, "Nothing that was revealed entered: the reward alone counts.");
    return view.el(
      "ol",
      { class: "places", "aria-label": "the five places in which what was revealed can enter" },
      PLACES.map((each) =>
        view.el(
          "li",
          {
            class: row.places.includes(each) ? "entered" : null,
            "aria-label": `${each}: ${row.places.includes(each) ? "entered here" : "not here"}`,
          },
          each,
        ),
      ),
    );
  };

  /** Make the parts that say what a method changed. */
  const changes = (row) =>
    [
      row.asked &&
        view.el(
          "section",
          {},
          view.el("h4", {}, "Relabelled prompt: what was asked, and what it became"),
          view.diff.show(texts(row.asked), texts(row.prompts)),
        ),
      row.said &&
        view.el(
          "section",
          {},
          view.el("h4", {}, "Another response: what was said, and what is learnt"),
          view.diff.show(row.said.join("\n"), response(row).trim()),
        ),
      row.told &&
        view.el(
          "section",
          {},
          view.el("h4", {}, "What the teacher was told: the prompt, and what stood in it besides"),
          view.diff.show(texts(row.prompts), texts(row.told)),
        ),
    ].filter(Boolean);

  const feedback = (row) => {
    const told = Object.entries(row.feedback ?? {}).filter(([name]) =>
      ["text", "correction", "outcome"].includes(name),
    );
    const sources = row.feedback?.sources;
    if (!told.length) return null;
    return view.el(
      "section",
      { class: "feedback" },
      view.el("h2", {}, "What was revealed afterwards"),
      view.el(
        "dl",
        {},
        told.map(([name, text]) =>
          view.el("div", {}, view.el("dt", {}, name), view.el("dd", {}, view.words(String(text)))),
        ),
        sources && view.el("div", {}, view.el("dt", {}, "by"), view.el("dd", {}, view.visible(sources.join(", ")))),
      ),
    );
  };

  /** Make the turns of a row: a conversation, or the steps of an environment of numbers as a table. */
  const turns = (row, painter) => {
    const spans = turnsOf(row);
    const ends = (turn) => row.cut_off && turn === spans.length - 1;
    if (view.isNumbers(row.prompts[0])) {
      return view.table(
        "Steps of the episode",
        [["step", "number"], ["observation"], ["action"]],
        spans.map(([from, to], turn) => [
          String(turn + 1),
          view.el("code", {}, view.promptText(row.prompts[turn])),
          painter.run(from, to, ends(turn)),
        ]),
      );
    }
    if (spans.length === 1) return painter.run(0, row.pieces.length, ends(0));
    return view.el(
      "div",
      { class: "conversation" },
      spans.map(([from, to], turn) => {
        const before = turn ? row.prompts[turn - 1] : undefined;
        const said = turn ? row.pieces.slice(...spans[turn - 1]).join("") : "";
        const news = view.newsOf(row.prompts[turn], before, said);
        const asked =
          view.isChat(news) || turn === 0
            ? view.prompt(news)
            : view.message("environment", view.words(view.promptText(news)));
        return [asked, view.message("model", painter.run(from, to, ends(turn)))];
      }),
    );
  };

  /** Make the card of a row: its method, what it changed, and its tokens. */
  const card = (row) => {
    const painter = new view.tokens.Painter(row);
    const shown = turns(row, painter);
    return view.el(
      "article",
      { class: "traced" },
      view.el(
        "h3",
        {},
        view.visible(row.method),
        row.weight !== null &&
          row.weight !== 1 &&
          view.el("span", { class: "quiet" }, ` weight ${view.num(row.weight)}`),
      ),
      places(row),
      changes(row),
      row.pieces.length
        ? [
            view.tokens.choice(painter, "push"),
            view.el("div", { class: "beside" }, shown, painter.card),
            view.tokens.table(row),
          ]
        : view.missing("The row has no tokens."),
    );
  };

  return { card, feedback };
})();
