"use strict";
/* Where credit went in all: shares of the pushes on all traced tokens. */
view.credit = (() => {
  const bar = (row, most) =>
    view.el(
      "span",
      { class: "bar", role: "img", "aria-label": `up ${view.num(row.up)}, down ${view.num(row.down)}` },
      view.el("i", { class: "up", style: { "--share": `${(row.up / most) * 100}%` } }),
      view.el("i", { class: "down", style: { "--share": `${(row.down / most) * 100}%` } }),
    );

  const name = (text) => {
    const shown = text === "" ? "∅" : view.visible(text).replace(/\n/g, "⏎").replace(/^ | $/g, "␣");
    return view.el("span", { class: "name", dir: "auto", title: shown }, shown);
  };

  const table = ({ title, rows, total }) => {
    const most = Math.max(...rows.map((each) => each.up + each.down), 1e-12);
    const tokens = rows.reduce((sum, each) => sum + each.num_tokens, 0);
    return view.el(
      "section",
      { class: "credit" },
      view.el("h2", {}, title),
      view.table(
        title,
        [[""], ["push", "number"], ["tokens", "number"], ["likelier, less likely", "bars"]],
        rows.map((each) => [
          name(each.name),
          view.percent((each.up + each.down) / (total || 1)),
          view.percent(each.num_tokens / (tokens || 1)),
          bar(each, most),
        ]),
      ),
    );
  };

  const show = (store, place) => {
    const body = view.el("div", { class: "credits" }, view.missing("Adding up …"));
    view.fill(
      place,
      view.el("h1", {}, "Where credit went"),
      view.el(
        "p",
        { class: "lead" },
        "The push is how the whole update pulled at a token: up, it was made more likely, down, less. ",
        "Shares are those of the sizes of all pushes, and of all tokens, on the traced rows: ",
        "one group a step, drawn at random among those that taught something.",
      ),
      body,
    );
    const update = () => {
      if (!store.facts.traced.length) {
        view.fill(body, view.missing("This run has no traces: it was made by an earlier version, or with trace=off."));
        return;
      }
      view.source
        .credit(store.name, store.facts.traced.length)
        .then((found) => {
          const rest = found.left_out
            ? view.missing(
                `Added up are the newest ${view.count(found.steps.length, "step")}, not the ${found.left_out} before.`,
              )
            : null;
          view.fill(body, rest, found.tables.filter((each) => each.rows.length > 1 || each.by === "method").map(table));
        })
        .catch((error) => view.fill(body, view.missing(view.visible(error.message))));
    };
    update();
    return { update };
  };

  return { show };
})();
