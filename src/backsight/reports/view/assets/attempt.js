"use strict";
/* One attempt: what was asked and said, what a step made of it, its siblings, and the same prompt in other steps. */
view.attempt = (() => {
  const MOST_STEPS = 2000;

  const facts = (store, own) => {
    const { columns } = store;
    const named = [...store.rewards]
      .map(([name, values]) => [name, view.num(values[own])])
      .filter(([, value]) => value !== "–");
    const all = [
      ["reward", view.num(columns.reward[own])],
      ...named.map(([name, value]) => [`rewards/${name}`, value]),
      ["advantage", view.signed(columns.advantage[own])],
      ["tokens", view.num(columns.tokens[own], 6)],
      ["success", { 1: "yes", 0: "no" }[columns.success[own]] ?? "–"],
      ["cut off", { 1: "yes", 0: "no" }[columns.cut[own]] ?? "–"],
    ];
    return view.el(
      "dl",
      { class: "tiles small" },
      all.map(([name, value]) => view.el("div", {}, view.el("dt", {}, view.visible(name)), view.el("dd", {}, value))),
    );
  };

  /** Make a table of the steps of an episode whose observations are numbers; its actions may be in traces alone. */
  const episode = (store, all) => {
    const { turns, promptTexts } = store;
    const isKnown = all.some((at) => turns.completion[at] !== null);
    const heads = [["step", "number"], ["observation"], ["reward", "number"], ["advantage", "number"]];
    const rows = all
      .slice(0, MOST_STEPS)
      .map((at, turn) => [
        String(turn + 1),
        view.el("code", {}, promptTexts[turns.prompt[at]]),
        view.num(turns.reward[at]),
        view.signed(turns.advantage[at]),
        ...(isKnown ? [view.visible(turns.completion[at] ?? "–")] : []),
      ]);
    return view.table("Rewards of the steps", isKnown ? [...heads, ["action"]] : heads, rows);
  };

  /** Make what was asked and said, turn by turn. */
  const conversation = (store, own) => {
    const { columns, turns, prompts } = store;
    const all = Array.from({ length: columns.length[own] }, (_, turn) => columns.first[own] + turn);
    if (view.isNumbers(prompts[turns.prompt[all[0]]])) {
      return episode(store, all);
    }
    return view.el(
      "div",
      { class: "conversation" },
      all.map((at, turn) => {
        const prompt = prompts[turns.prompt[at]];
        const before = turn ? prompts[turns.prompt[at - 1]] : undefined;
        const news = view.newsOf(prompt, before, turn ? turns.completion[at - 1] : "");
        const isLast = turn === all.length - 1;
        return [
          turn && !view.isChat(news)
            ? view.message("environment", view.words(view.promptText(news)))
            : view.prompt(news),
          view.message(
            "model",
            view.words(turns.completion[at] ?? ""),
            isLast && columns.cut[own] === 1 && view.el("span", { class: "cut" }, "cut off"),
          ),
        ];
      }),
    );
  };

  const samePrompt = (store, own) => {
    const { columns } = store;
    const groups = store.samePrompt(columns.prompt[own]);
    if (groups.length < 2) return null;
    const best = (group) => {
      let found = group.start;
      for (let each = group.start; each < group.end; each += 1)
        if (columns.reward[each] > columns.reward[found]) found = each;
      return found;
    };
    return view.el(
      "section",
      {},
      view.el("h2", {}, "The same prompt in other steps"),
      view.table(
        "The same prompt across steps",
        [["step"], ["mean reward", "number"], ["its best attempt"]],
        groups.slice(-100).map((group) => [
          view.el(
            "a",
            {
              href: view.link("group", { step: group.step, group: group.number }),
              "aria-current": group.step === columns.step[own] ? "true" : null,
            },
            `step ${group.step}`,
          ),
          view.num(view.step.mean(store, group)),
          view.el(
            "a",
            { href: view.attempts.address(store, best(group)), class: "plain", dir: "auto" },
            view.excerpt(store.said(best(group)), 140) || "(empty)",
          ),
        ]),
      ),
    );
  };

  const around = (store, own, group) => {
    const [before, after] = [own - 1 >= group.start ? own - 1 : null, own + 1 < group.end ? own + 1 : null];
    return view.el(
      "p",
      { class: "neighbours" },
      before !== null &&
        view.el(
          "a",
          { href: view.attempts.address(store, before), rel: "prev" },
          `← attempt ${store.columns.attempt[before]}`,
        ),
      after !== null &&
        view.el(
          "a",
          { href: view.attempts.address(store, after), rel: "next" },
          `attempt ${store.columns.attempt[after]} →`,
        ),
    );
  };

  const tracedPart = (store, step, rows, isHeld) => {
    if (rows.length) {
      const title = view.el("h2", {}, "What the step did to it");
      return [view.traced.feedback(rows[0]), title, ...rows.map(view.traced.card)];
    }
    if (!store.facts.traced.length)
      return [view.missing("This run has no traces, so that nothing is known token by token.")];
    const there = store.facts.traced.includes(step);
    const words =
      there && !isHeld
        ? "The traces of this step are not in this page; backsight view of the run folder has them."
        : "The attempt was not traced. In each traced step one group is: filter attempts by method to find them.";
    return [view.missing(words)];
  };

  const show = (store, place, query, tracedOf) => {
    const [step, number, attempt] = ["step", "group", "attempt"].map((each) => Number(query.get(each)));
    let isShown = false;
    const update = async () => {
      if (isShown) return;
      const own = store.find(step, number, attempt);
      if (own < 0) {
        view.fill(
          place,
          view.el("h1", {}, `Attempt ${step}/${number}/${attempt}`),
          view.missing(store.hasAttempts ? "This page does not hold the attempt." : "Reading …"),
        );
        return;
      }
      isShown = true;
      const group = store.groups[store.groupOf[own]];
      const traced = view.el("div", { "aria-live": "off" });
      view.fill(
        place,
        view.el(
          "p",
          { class: "crumbs" },
          view.el("a", { href: view.link("step", { step }) }, `step ${step}`),
          " / ",
          view.el("a", { href: view.link("group", { step, group: number }) }, `group ${number}`),
        ),
        view.el("h1", {}, `Attempt ${attempt}`),
        around(store, own, group),
        facts(store, own),
        conversation(store, own),
        traced,
        view.asking.part(store, own),
        view.el("section", {}, view.el("h2", {}, "Its siblings"), siblingsOf(store, group, own)),
        samePrompt(store, own),
      );
      const rows = await tracedOf(step);
      view.fill(
        traced,
        tracedPart(
          store,
          step,
          (rows ?? []).filter((each) => each.group === number && each.attempt === attempt),
          rows !== null,
        ),
      );
    };
    update();
    return { update: () => {}, updateAttempts: update };
  };

  const siblingsOf = (store, group, own) =>
    store.columns.length[own] > 20
      ? view.el(
          "p",
          {},
          view.el(
            "a",
            { href: view.link("group", { step: group.step, group: group.number }) },
            "the siblings side by side",
          ),
        )
      : view.step.siblings(store, group, own);

  return { show };
})();
