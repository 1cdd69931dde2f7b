"use strict";
/* The run at a glance: where it stands, its curves, its messages and its settings. */
view.overview = (() => {
  const PANELS = [
    {
      title: "Reward",
      names: /^(reward|rewards\/.*\/mean)$/,
      rename: (name) => (name === "reward" ? "reward" : name.slice(8, -5)),
    },
    { title: "Success", names: /^success$/ },
    {
      title: "Length of completions",
      note: "tokens",
      names: /^completions\/mean_length$/,
      rename: () => "mean length",
    },
    {
      title: "Cut off",
      note: "share of completions",
      names: /^(completions\/clipped_ratio|thinking\/.*)$/,
      rename: (name) => (name.startsWith("completions") ? "cut off" : name),
    },
    { title: "Entropy", note: "nats a token", names: /^entropy$/ },
    {
      title: "Divergence",
      note: "nats; from the reference",
      names: /^(kl|loss\/distillation|teacher\/log_prob_gain)$/,
      rename: (name) => (name === "kl" ? "from the reference" : name),
    },
    { title: "Signal", note: "shares", names: /^(frac_.*|clip_ratio\/.*)$/, rename: (name) => SIGNALS[name] ?? name },
    { title: "Spread of rewards in a group", names: /^reward_std$/, rename: () => "standard deviation" },
    { title: "Length of the gradient", names: /^grad_norm$/, rename: () => "before clipping" },
    {
      title: "Time of a step",
      note: "seconds by phase",
      names: /^time\//,
      rename: (name) => name.slice(5),
      isStacked: true,
    },
    { title: "Memory", note: "GiB at its peak", names: /^memory\/peak_gib$/, rename: () => "peak" },
  ];
  const SIGNALS = {
    frac_reward_zero_std: "silent groups",
    frac_examples_with_signal: "rows with signal",
    frac_off_policy: "rows off-policy",
    frac_unscored: "attempts without score",
    "clip_ratio/region_mean": "held back by the clip",
  };

  /** Return the curves of the evaluations: one for each split, with intervals. */
  const evaluated = (store, score) => {
    const splits = new Map();
    for (const row of store.evaluations) {
      const own = row.scores?.[score];
      if (!own || typeof own.mean !== "number") continue;
      if (!splits.has(row.split)) splits.set(row.split, { name: row.split, x: [], y: [], low: [], high: [] });
      const each = splits.get(row.split);
      each.x.push(row.step);
      each.y.push(own.mean);
      each.low.push(own.low);
      each.high.push(own.high);
    }
    return [...splits.values()];
  };

  const scoreNames = (store) => {
    const names = new Set(store.evaluations.flatMap((row) => Object.keys(row.scores ?? {})));
    return ["reward", "success", ...[...names].filter((each) => each !== "reward" && each !== "success")].filter(
      (each) => names.has(each),
    );
  };

  const panels = (store) => {
    const open = (step) => {
      location.hash = view.link("step", { step });
    };
    const ofMetrics = ({ title, note, names, rename = (name) => name, isStacked }) =>
      new view.charts.Chart(title, {
        note,
        isStacked,
        open,
        series: () =>
          store
            .metricNames(names)
            .map((name) => ({ name: rename(name), x: store.metrics.step, y: store.metric(name) })),
      });
    const score = scoreNames(store)[0] ?? "reward";
    const ofEvaluations = new view.charts.Chart(`Evaluations: ${score}`, {
      note: "means with 95 % intervals",
      series: () => evaluated(store, score),
    });
    return [ofMetrics(PANELS[0]), ofEvaluations, ...PANELS.slice(1).map(ofMetrics)];
  };

  /** Return the name of the method; of a chain those of its members. */
  const methodOf = (setting) => {
    const name = setting("hindsight.name") ?? "–";
    try {
      return name === "chain"
        ? JSON.parse(setting("hindsight.methods"))
            .map((each) => each.name)
            .join(" + ")
        : name;
    } catch {
      return name;
    }
  };

  const facts = (store) => {
    const { facts: known, metrics } = store;
    const step = metrics.step.at(-1);
    const last = (name) => store.metric(name).findLast((each) => each !== null);
    const first = evaluated(store, scoreNames(store)[0])[0];
    const seconds = store.metric("step_time").reduce((sum, each) => sum + (each ?? 0), 0);
    const setting = (name) => known.settings.find(([key]) => key === name)?.[1];
    const tiles = [
      ["step", step === undefined ? "none yet" : view.num(step, 6)],
      ["reward, last step", view.num(last("reward"))],
      ...(first ? [[`${first.name}: before → last`, `${view.num(first.y[0])} → ${view.num(first.y.at(-1))}`]] : []),
      ["method", methodOf(setting)],
      ["policy", setting("policy") ?? "–"],
      [
        "time in steps",
        seconds >= 5400
          ? `${view.num(seconds / 3600)} h`
          : seconds >= 90
            ? `${view.num(seconds / 60)} min`
            : `${view.num(seconds)} s`,
      ],
    ];
    return view.el(
      "dl",
      { class: "tiles" },
      tiles.map(([name, value]) => view.el("div", {}, view.el("dt", {}, name), view.el("dd", {}, value))),
    );
  };

  const ending = (store) => {
    if (store.facts.is_going_on) return view.el("p", { class: "ending" }, "The run is going on; this page follows it.");
    if (store.stopped)
      return view.el("p", { class: "ending" }, "Stopped: ", view.el("b", {}, view.visible(store.stopped)), ".");
    return view.missing(
      "The run is not going on, and has not said why: it was interrupted or killed, or is about to begin.",
    );
  };

  const messages = (store) => {
    const rows = store.messages
      .slice(-200)
      .reverse()
      .map((each) =>
        view.el(
          "li",
          {},
          view.el("a", { href: view.link("step", { step: each.step }) }, `step ${each.step}`),
          " ",
          view.el("span", { dir: "auto" }, view.visible(String(each.message))),
        ),
      );
    return view.el(
      "section",
      {},
      view.el("h2", {}, "Messages"),
      rows.length ? view.el("ul", { class: "messages" }, rows) : view.missing("The run has said nothing."),
    );
  };

  const gaps = (store) => {
    const { facts: known } = store;
    const lost = Object.values(store.damaged).reduce((sum, each) => sum + each, 0);
    return view.el(
      "ul",
      { class: "gaps" },
      [
        !known.traced.length &&
          "No traces: tokens have no colours. The run was made by an earlier version, or with trace=off.",
        !known.answered.length &&
          store.evaluations.length > 0 &&
          "No answers of the evaluations were kept, so that they cannot be compared item by item.",
        store.skippedBytes > 0 &&
          `This page holds the newest ${view.count(store.size, "attempt")}; what came before them, ` +
            `${view.num(store.skippedBytes / 1e6)} MB, ` +
            "is in the run folder.",
        lost > 0 && `${view.count(lost, "line")} of the run folder ${lost === 1 ? "is" : "are"} damaged, and left out.`,
      ]
        .filter(Boolean)
        .map((each) => view.el("li", {}, each)),
    );
  };

  const settings = (store) =>
    view.el(
      "details",
      { class: "settings" },
      view.el("summary", {}, "Settings"),
      view.table(
        "Settings",
        [["setting"], ["value"]],
        store.facts.settings.map(([name, value]) => [view.el("code", {}, name), view.visible(value)]),
      ),
    );

  const show = (store, place) => {
    const charts = panels(store);
    const [head, notes, said] = [view.el("div"), view.el("div"), view.el("div")];
    view.fill(
      place,
      view.el("h1", { class: "unseen" }, `Run ${store.name}`),
      head,
      view.el(
        "div",
        { class: "charts" },
        charts.map((each) => each.element),
      ),
      said,
      notes,
      settings(store),
    );
    let told = -1;
    const update = () => {
      view.fill(head, facts(store), ending(store));
      if (told !== store.messages.length) view.fill(said, messages(store)); // or who reads them would lose the place
      told = store.messages.length;
      view.fill(notes, gaps(store));
      const marks = store.messages.map((each) => each.step);
      charts.forEach((each) => each.update(marks));
    };
    update();
    return { update, updateAttempts: () => view.fill(notes, gaps(store)) };
  };

  return { show, evaluated, scoreNames };
})();
