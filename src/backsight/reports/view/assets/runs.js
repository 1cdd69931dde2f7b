"use strict";
/* Several runs beside each other, as a comparison makes them: their curves in one picture each, and a list. */
view.runs = (() => {
  const PANELS = [
    { title: "Reward", name: "reward" },
    { title: "Success", name: "success" },
    { title: "Length of completions", name: "completions/mean_length", note: "tokens" },
    { title: "Entropy", name: "entropy", note: "nats a token" },
    { title: "Silent groups", name: "frac_reward_zero_std", note: "share" },
    { title: "Time of a step", name: "step_time", note: "seconds" },
  ];

  const known = (stores) => stores.filter((each) => each.facts);

  const panels = (stores) => {
    const splits = new Set(known(stores()).flatMap((store) => store.evaluations.map((row) => row.split)));
    const ofSplits = [...splits].map(
      (split) =>
        new view.charts.Chart(`Evaluation: ${split}`, {
          note: "with 95 % intervals",
          series: () =>
            known(stores()).flatMap((store) =>
              view.overview
                .evaluated(store, view.overview.scoreNames(store)[0])
                .filter((each) => each.name === split)
                .map((each) => ({ ...each, name: store.name })),
            ),
        }),
    );
    const ofMetrics = PANELS.map(
      ({ title, name, note }) =>
        new view.charts.Chart(title, {
          note,
          series: () =>
            known(stores()).map((store) => ({ name: store.name, x: store.metrics.step, y: store.metric(name) })),
        }),
    );
    return [...ofSplits, ...ofMetrics];
  };

  const list = (stores) =>
    view.table(
      "Runs",
      [["run"], ["state"], ["steps", "number"], ["reward, last step", "number"], ["evaluation, last"]],
      known(stores).map((store) => {
        const score = view.overview.scoreNames(store)[0];
        const evaluated = score ? view.overview.evaluated(store, score) : [];
        return [
          view.el("a", { href: view.link("run", { run: store.name }) }, view.visible(store.name)),
          store.facts.is_going_on ? "going on" : store.stopped ? "stopped" : "not going on",
          view.num(store.metrics.step.at(-1), 6),
          view.num(store.metric("reward").findLast((each) => each !== null)),
          evaluated.map((each) => `${each.name} ${view.num(each.y.at(-1))}`).join(", "),
        ];
      }),
    );

  const show = (stores, place) => {
    const charts = panels(stores);
    const table = view.el("div");
    view.fill(
      place,
      view.el("h1", {}, `${view.source.about.title}: ${view.count(stores().length, "run")}`),
      table,
      view.el(
        "div",
        { class: "charts" },
        charts.map((each) => each.element),
      ),
    );
    const update = () => {
      view.fill(table, list(stores()));
      charts.forEach((each) => each.update());
    };
    update();
    return { update };
  };

  return { show };
})();
