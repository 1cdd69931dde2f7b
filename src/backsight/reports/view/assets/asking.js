"use strict";
/* Questions to the server that take minutes: why an answer came to be, and what feedback says of each token. */
view.asking = (() => {
  const WAIT = 1000;
  const MOST_ROWS = 15;

  const wait = async (number, tell) => {
    for (;;) {
      const state = await view.source.asked();
      if (state.number !== number) throw new Error("Another question was asked since; ask again.");
      if (state.state === "done") return state.result;
      if (state.state === "failed") throw new Error(state.error);
      tell(`Working: ${view.count(state.seconds, "second")}. It can take minutes; the page can be used meanwhile.`);
      await new Promise((go) => {
        setTimeout(go, WAIT);
      });
    }
  };

  const ask = async (kind, question, place, show) => {
    const status = view.el("p", { class: "working", role: "status" }, "Working …");
    view.fill(place, status);
    try {
      const { number } = await view.source.ask(kind, question);
      const found = await wait(number, (text) => {
        status.textContent = text;
      });
      view.fill(place, show(found));
      view.say("The answer is there.");
    } catch (error) {
      view.fill(place, view.el("p", { class: "problem", role: "alert" }, view.visible(error.message)));
    }
  };

  const sums = (title, found) =>
    view.el(
      "p",
      { class: "quiet" },
      `${title}: ${Object.entries(found)
        .map(([name, effect]) => `${view.visible(name)} ${view.signed(effect)}`)
        .join(", ")}`,
    );

  const influence = (found) => {
    const rows = found.rows
      .slice(0, MOST_ROWS)
      .map((each) => [
        view.signed(each.effect),
        each.attempt
          ? view.el(
              "a",
              { href: view.link("attempt", { step: each.step, group: each.attempt[0], attempt: each.attempt[1] }) },
              `${each.step}/${each.attempt.join("/")}`,
            )
          : String(each.step),
        view.visible(each.method),
        view.num(each.reward),
        view.el("span", { dir: "auto" }, view.excerpt(each.response, 100)),
        view.el("span", { dir: "auto" }, view.excerpt(each.feedback ?? "–", 80)),
      ]);
    const steps = view.count(Object.keys(found.steps).length, "step");
    const changed = view.signed(Object.values(found.steps).reduce((sum, each) => sum + each, 0));
    return [
      found.notes.map((each) => view.missing(view.visible(each))),
      rows.length && [
        view.el("p", {}, `In ${steps} that could be made again, its log-probability changed by ${changed} nats.`),
        sums("by method", found.by_method),
        sums("by who judged", found.by_source),
        view.table(
          "Rows that did most",
          [["nats", "number"], ["attempt"], ["method"], ["reward", "number"], ["response"], ["feedback"]],
          rows,
        ),
        view.el("p", { class: "quiet" }, `${rows.length} of ${view.count(found.rows.length, "row")}`),
      ],
    ]
      .flat(Infinity)
      .filter(Boolean);
  };

  const effect = (found) => {
    class EffectPainter extends view.tokens.Painter {
      describe(at) {
        const numbers = [
          ["all of it", found.whole[at]],
          ...found.sentences.map((text, place) => [view.excerpt(text, 60), found.by_sentence[place][at]]),
        ];
        return [
          view.el("p", { class: "looked-at" }, view.el("code", { dir: "auto" }, view.visible(found.pieces[at]))),
          view.el(
            "dl",
            { class: "numbers" },
            numbers.map(([name, value]) =>
              view.el("div", {}, view.el("dt", { dir: "auto" }, name), view.el("dd", {}, view.signed(value))),
            ),
          ),
        ];
      }
    }
    const painter = new EffectPainter({ pieces: found.pieces });
    const buttons = [];
    const choose = (button, values) => {
      buttons.forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
      painter.paint(values);
    };
    const button = (text, values) => {
      const made = view.el(
        "button",
        { type: "button", "aria-pressed": "false", dir: "auto", on: { click: () => choose(made, values) } },
        view.visible(text),
      );
      buttons.push(made);
      return made;
    };
    const shown = [
      view.el(
        "p",
        { class: "quiet" },
        "Choose a sentence to see its tokens: what being told it changes of each token's log-probability, in nats.",
      ),
      view.el(
        "div",
        { class: "sentences" },
        button("all of it", found.whole),
        found.sentences.map((each, place) => button(each, found.by_sentence[place])),
      ),
      view.el("div", { class: "beside" }, painter.run(0, found.pieces.length), painter.card),
    ];
    choose(buttons[0], found.whole);
    return shown;
  };

  /** Make the buttons of an attempt; nothing in a page without a server. */
  const part = (store, own) => {
    const { columns, turns, prompts } = store;
    if (
      !view.source.about.is_live ||
      columns.length[own] > 1 ||
      view.isNumbers(prompts[turns.prompt[columns.first[own]]])
    )
      return null;
    const [step, group, attempt] = [columns.step[own], columns.group[own], columns.attempt[own]];
    const place = view.el("div", { class: "asked" });
    const why = {
      run: store.name,
      prompt: view.lastAsked(prompts[turns.prompt[columns.first[own]]]),
      completion: store.said(own).trim(),
    };
    return view.el(
      "section",
      { class: "asking" },
      view.el("h2", {}, "Ask"),
      view.el(
        "p",
        {},
        view.el(
          "button",
          { type: "button", on: { click: () => ask("answer", why, place, influence) } },
          "why this answer?",
        ),
        " ",
        store.facts.traced.includes(step) &&
          view.el(
            "button",
            {
              type: "button",
              on: { click: () => ask("attempt", { run: store.name, step, group, attempt }, place, effect) },
            },
            "what does its feedback say of each token?",
          ),
      ),
      place,
    );
  };

  return { part };
})();
