"use strict";
/* Evaluations: scores with intervals, and two of them item by item: what was gained and what was lost. */
view.evaluations = (() => {
  const PAGE = 30;

  const scores = (store) =>
    view.table(
      "Scores",
      [["step", "number"], ["split"], ["score"], ["mean", "number"], ["95 % interval"], ["items", "number"]],
      store.evaluations
        .flatMap((row) =>
          Object.entries(row.scores ?? {})
            .filter(([, own]) => own && typeof own.mean === "number")
            .map(([name, own]) => [
              String(row.step),
              view.visible(row.split),
              view.visible(name),
              view.num(own.mean, 4),
              `${view.num(own.low)} to ${view.num(own.high)}`,
              view.num(own.count, 6),
            ]),
        )
        .reverse(),
    );

  const byItem = (rows) => {
    const found = new Map();
    for (const row of rows) {
      const key = JSON.stringify([row.split, row.item]);
      if (!found.has(key)) found.set(key, []);
      found.get(key).push(row);
    }
    return found;
  };

  const mean = (rows) => {
    const own = rows.map((each) => each.reward).filter((each) => each !== null);
    return own.length ? own.reduce((sum, each) => sum + each, 0) / own.length : null;
  };

  /** Return the items of both evaluations, with what became of each. */
  const pairs = (before, after) => {
    const [one, two] = [byItem(before), byItem(after)];
    return [...one.keys()]
      .filter((key) => two.has(key))
      .map((key) => {
        const [was, is] = [one.get(key), two.get(key)];
        const difference = (mean(is) ?? NaN) - (mean(was) ?? NaN);
        const became =
          Math.abs(difference) < 1e-9 ? "the same" : difference > 0 ? "gained" : difference < 0 ? "lost" : "not scored";
        return { split: was[0].split, item: was[0].item, was, is, difference, became };
      });
  };

  const answer = (row, other) =>
    view.el(
      "div",
      {},
      other === undefined ? view.words(row.completions.join("\n")) : view.diff.show(other, row.completions.join("\n")),
      view.el(
        "p",
        { class: "figures" },
        `reward ${view.num(row.reward)}`,
        row.cut_off && [" ", view.el("span", { class: "mark" }, "cut off")],
      ),
    );

  const item = ({ split, item: name, was, is, difference, became }) =>
    view.el(
      "article",
      { class: `item ${became === "gained" ? "gained" : became === "lost" ? "lost" : ""}` },
      view.el(
        "h3",
        {},
        view.el(
          "span",
          { class: "mark" },
          Number.isFinite(difference) && difference ? `${became} ${view.signed(difference)}` : became,
        ),
        ` ${view.visible(split)} · ${view.visible(name)}`,
      ),
      view.prompt(was[0].prompts[0] ?? ""),
      view.el(
        "div",
        { class: "siblings two" },
        view.el(
          "div",
          {},
          view.el("h4", {}, "before"),
          was.map((each) => answer(each)),
        ),
        view.el(
          "div",
          {},
          view.el("h4", {}, "after, as a difference"),
          is.map((each, place) => answer(each, (was[place] ?? was[0]).completions.join("\n"))),
        ),
      ),
    );

  const counts = (all) => {
    const count = (became) => all.filter((each) => each.became === became).length;
    const each = ["gained", "lost", "the same"].map((became) => `${count(became)} ${became}`);
    return `${each.join(", ")}, of ${view.count(all.length, "item")}`;
  };

  const compared = (store, steps) => {
    const place = view.el("div");
    const select = (label, options, value) => {
      const made = view.el(
        "select",
        { on: { change: () => draw() } },
        options.map(([own, text]) => view.el("option", { value: String(own) }, text)),
      );
      made.value = String(value);
      return [view.el("label", {}, label, " ", made), made];
    };
    const [beforeLabel, before] = select(
      "before: step",
      steps.map((each) => [each, each]),
      steps[0],
    );
    const [afterLabel, after] = select(
      "after: step",
      steps.map((each) => [each, each]),
      steps.at(-1),
    );
    const [kindLabel, kind] = select(
      "show",
      [
        ["changed", "what changed"],
        ["gained", "what was gained"],
        ["lost", "what was lost"],
        ["", "all"],
      ],
      "changed",
    );
    const [splitLabel, split] = select("split", [["", "all"]], "");
    let shown = 0;
    const draw = async () => {
      shown += 1;
      const own = shown;
      view.fill(place, view.missing("Reading …"));
      const [one, two] = await Promise.all([before, after].map((each) => view.source.answers(store.name, each.value)));
      if (own !== shown) return;
      if (!one || !two) {
        view.fill(
          place,
          view.missing("The answers of this step are not in this page; backsight view of the run folder has them."),
        );
        return;
      }
      const all = pairs(one, two);
      const chosen = split.value;
      view.fill(
        split,
        view.el("option", { value: "" }, "all"),
        [...new Set(all.map((each) => each.split))].map((each) =>
          view.el("option", { value: each }, view.visible(each)),
        ),
      );
      split.value = chosen;
      const ofSplit = all.filter((each) => !chosen || each.split === chosen);
      list(
        place,
        ofSplit,
        ofSplit.filter(
          (each) => !kind.value || each.became === kind.value || (kind.value === "changed" && each.difference),
        ),
      );
    };
    draw().catch((error) => view.fill(place, view.missing(view.visible(error.message))));
    return view.el(
      "section",
      {},
      view.el("h2", {}, "Before and after, item by item"),
      view.el("div", { class: "filters line" }, beforeLabel, afterLabel, kindLabel, splitLabel),
      place,
    );
  };

  const list = (place, all, chosen) => {
    const rows = view.el("div");
    let count = 0;
    const more = view.el("button", { type: "button", on: { click: () => add() } }, "show more");
    const add = () => {
      rows.append(...chosen.slice(count, count + PAGE).map(item));
      count += PAGE;
      more.hidden = count >= chosen.length;
    };
    view.fill(place, view.el("p", { class: "count", role: "status" }, counts(all)), rows, more);
    add();
  };

  const show = (store, place) => {
    const name = view.overview.scoreNames(store);
    const charts = name.map(
      (each) =>
        new view.charts.Chart(each, {
          note: "means with 95 % intervals",
          series: () => view.overview.evaluated(store, each),
        }),
    );
    const steps = store.facts.answered;
    const missing = store.evaluations.length
      ? "No answers were kept: the run was made by an earlier version."
      : "The run has not been evaluated yet.";
    const table = view.el("div");
    view.fill(
      place,
      view.el("h1", {}, "Evaluations"),
      view.el(
        "div",
        { class: "charts" },
        charts.map((each) => each.element),
      ),
      steps.length ? compared(store, steps) : view.missing(missing),
      view.el("details", { class: "settings" }, view.el("summary", {}, "all scores"), table),
    );
    const update = () => {
      charts.forEach((each) => each.update());
      view.fill(table, scores(store));
    };
    update();
    return { update };
  };

  return { show, pairs };
})();
