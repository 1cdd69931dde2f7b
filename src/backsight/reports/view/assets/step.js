"use strict";
/* One step: its groups, and of a group the siblings side by side. */
view.step = (() => {
  const MOST_GROUPS = 200;

  /** Return the reward of each sibling as a small picture, with the numbers as its text. */
  const dots = (store, group, least, most) => {
    const { reward } = store.columns;
    const all = [];
    for (let each = group.start; each < group.end; each += 1) all.push(reward[each]);
    const places = all.map((each) => (most > least ? ((each - least) / (most - least)) * 100 : 50));
    const below = (at) => places.slice(0, at).filter((each) => Math.abs(each - places[at]) < 4).length;
    const text = `rewards ${all.map((each) => view.num(each)).join(", ")}`;
    return view.el(
      "span",
      { class: "dots", role: "img", "aria-label": text, title: text },
      all.map((each, at) =>
        view.el("i", {
          style: { "--at": `${Number.isNaN(each) ? 50 : places[at]}%`, "--level": String(Math.min(7, below(at))) },
          class: Number.isNaN(each) ? "none" : null,
        }),
      ),
    );
  };

  const mean = (store, group) => {
    const own = store.columns.reward.slice(group.start, group.end).filter((each) => !Number.isNaN(each));
    return own.length ? own.reduce((sum, each) => sum + each, 0) / own.length : NaN;
  };

  const neighbours = (store, step) => {
    const steps = store.metrics.step;
    const before = steps.findLast((each) => each < step);
    const after = steps.find((each) => each > step);
    return view.el(
      "p",
      { class: "neighbours" },
      before !== undefined &&
        view.el("a", { href: view.link("step", { step: before }), rel: "prev" }, `← step ${before}`),
      view.el("a", { href: view.link("attempts", { step_from: step, step_to: step }) }, "its attempts as a list"),
      after !== undefined && view.el("a", { href: view.link("step", { step: after }), rel: "next" }, `step ${after} →`),
    );
  };

  const show = (store, place, query, tracedOf) => {
    const step = Number(query.get("step"));
    const body = view.el("div");
    const update = async () => {
      const groups = store.groups.filter((each) => each.step === step);
      if (!groups.length) {
        const first = store.columns.step[0];
        const words = !store.hasAttempts
          ? "Reading …"
          : store.size && step < first
            ? `The attempts of this step are not in this page, which begins with step ${first}.`
            : "The run folder has no attempts of this step.";
        view.fill(body, view.missing(words));
        return;
      }
      const traced = new Set(((await tracedOf(step)) ?? []).map((each) => each.group));
      const rewards = groups
        .flatMap((each) => store.columns.reward.slice(each.start, each.end))
        .filter((each) => !Number.isNaN(each));
      const [least, most] = [Math.min(...rewards), Math.max(...rewards)];
      const rows = groups
        .slice(0, MOST_GROUPS)
        .map((group) => [
          view.el("a", { href: view.link("group", { step, group: group.number }) }, String(group.number)),
          view.el(
            "span",
            { dir: "auto" },
            view.excerpt(store.promptTexts[store.columns.prompt[group.start]], 120) || "–",
          ),
          view.num(mean(store, group)),
          dots(store, group, least, most),
          [
            store.isSilent(group) && view.el("span", { class: "mark" }, "silent"),
            traced.has(group.number) && view.el("span", { class: "mark good" }, "traced"),
          ].filter(Boolean),
        ]);
      view.fill(
        body,
        view.el(
          "p",
          { class: "quiet" },
          `${view.count(groups.length, "group")}; dots stand from ${view.num(least)} to ${view.num(most)}`,
        ),
        view.table(
          `Groups of step ${step}`,
          [["group"], ["prompt", "prompt"], ["mean reward", "number"], ["rewards"], [""]],
          rows,
        ),
        groups.length > MOST_GROUPS &&
          view.missing(`${view.count(groups.length - MOST_GROUPS, "group")} more are in the list of attempts.`),
      );
    };
    const said = store.messages
      .filter((each) => each.step === step)
      .map((each) => view.el("p", { class: "ending", dir: "auto" }, view.visible(String(each.message))));
    view.fill(place, view.el("h1", {}, `Step ${step}`), neighbours(store, step), said, body);
    update();
    return { update: () => {}, updateAttempts: update };
  };

  const column = (store, each, base) => {
    const { columns } = store;
    const text = store.said(each);
    return view.el(
      "article",
      { class: "sibling" },
      view.el("h3", {}, view.el("a", { href: view.attempts.address(store, each) }, `attempt ${columns.attempt[each]}`)),
      view.el(
        "p",
        { class: "figures" },
        `reward ${view.num(columns.reward[each])} · advantage ${view.signed(columns.advantage[each])} · `,
        `${view.num(columns.tokens[each], 6)} tokens `,
        view.attempts.marks(store, each),
      ),
      base === null || base === each ? view.words(text) : view.diff.show(store.said(base), text),
    );
  };

  /** Make the siblings of a group, each compared with the one that is chosen, or as they are. */
  const siblings = (store, group, chosen = null) => {
    const columns = view.el("div", { class: "siblings" });
    const all = [];
    for (let each = group.start; each < group.end; each += 1) all.push(each);
    const draw = (base) =>
      view.fill(
        columns,
        all.map((each) => column(store, each, base)),
      );
    const select = view.el(
      "select",
      { on: { change: () => draw(select.value === "" ? null : Number(select.value)) } },
      view.el("option", { value: "" }, "nothing"),
      all.map((each) => view.el("option", { value: String(each) }, `attempt ${store.columns.attempt[each]}`)),
    );
    select.value = chosen === null ? "" : String(chosen);
    draw(chosen);
    return view.el(
      "div",
      {},
      view.el("p", { class: "choice" }, view.el("label", {}, "compare word by word with ", select)),
      columns,
    );
  };

  const showGroup = (store, place, query) => {
    const [step, number] = [Number(query.get("step")), Number(query.get("group"))];
    const update = () => {
      const group = store.groups.find((each) => each.step === step && each.number === number);
      const head = [
        view.el("p", { class: "crumbs" }, view.el("a", { href: view.link("step", { step }) }, `step ${step}`)),
        view.el("h1", {}, `Group ${number}`),
      ];
      if (!group) {
        view.fill(place, head, view.missing(store.hasAttempts ? "This page does not hold the group." : "Reading …"));
        return;
      }
      view.fill(
        place,
        head,
        view.prompt(store.prompts[store.columns.prompt[group.start]]),
        store.isSilent(group) &&
          view.missing("All siblings earned the same: plain reinforcement learning learns nothing from this group."),
        siblings(store, group),
      );
    };
    update();
    return {
      update: () => {},
      updateAttempts: (isNew) => {
        if (isNew && !place.querySelector(".sibling")) update();
      },
    };
  };

  return { show, showGroup, siblings, mean };
})();
