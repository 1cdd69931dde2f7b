"use strict";
/* All attempts: searched, filtered and sorted. */
view.attempts = (() => {
  const ROW_HEIGHT = 68;

  /** Return the address of an attempt. */
  const address = (store, each) =>
    view.link("attempt", {
      step: store.columns.step[each],
      group: store.columns.group[each],
      attempt: store.columns.attempt[each],
    });

  /** Return the small marks of an attempt: success, cut off, silent. */
  const marks = (store, each) =>
    [
      store.columns.success[each] === 1 && view.el("span", { class: "mark good" }, "success"),
      store.columns.cut[each] === 1 && view.el("span", { class: "mark" }, "cut off"),
      store.columns.length[each] > 1 &&
        view.el("span", { class: "mark" }, view.count(store.columns.length[each], "turn")),
    ].filter(Boolean);

  const row = (store) => (each) => {
    const { columns } = store;
    const number = (name, value) => view.el("span", { class: "number" }, view.el("i", {}, name), value);
    return [
      view.el(
        "span",
        { class: "placing" },
        view.el("span", { class: "place" }, `${columns.step[each]}/${columns.group[each]}/${columns.attempt[each]}`),
        marks(store, each),
      ),
      view.el(
        "span",
        { class: "texts" },
        view.el("span", { class: "asked", dir: "auto" }, view.excerpt(store.promptTexts[columns.prompt[each]]) || "–"),
        view.el("span", { class: "said", dir: "auto" }, view.excerpt(store.said(each)) || "–"),
      ),
      view.el(
        "span",
        { class: "figures" },
        number("reward", view.num(columns.reward[each])),
        number("advantage", view.signed(columns.advantage[each])),
        number("tokens", view.num(columns.tokens[each], 6)),
      ),
    ];
  };

  const field = (query, name, label, change, attributes = {}) => {
    const input = view.el("input", {
      name,
      value: query.get(name) ?? "",
      on: { input: () => change(name, input.value) },
      ...attributes,
    });
    return view.el("label", {}, label, " ", input);
  };

  const choice = (query, name, label, options, change) => {
    const select = view.el(
      "select",
      { name, on: { change: () => change(name, select.value) } },
      options.map(([value, text]) => view.el("option", { value }, text)),
    );
    select.value = query.get(name) ?? "";
    return view.el("label", {}, label, " ", select);
  };

  const tick = (query, name, label, change) => {
    const box = view.el("input", {
      type: "checkbox",
      name,
      on: { change: () => change(name, box.checked ? "1" : "") },
    });
    box.checked = Boolean(query.get(name));
    return view.el("label", { class: "tick" }, box, " ", label);
  };

  const methodChoice = (store, query, change, use) => {
    const place = view.el("span");
    if (!store.facts.traced.length) return place;
    view.source
      .credit(store.name, store.facts.traced.length)
      .then((found) => {
        if (!found) return;
        const names = [...new Set(found.index.map((each) => each[3]))].sort();
        view.fill(
          place,
          choice(
            query,
            "method",
            "method",
            [["", "any"], ["*", "any, traced"], ...names.map((each) => [each, view.visible(each)])],
            change,
          ),
        );
        use(found.index);
      })
      .catch(() => {});
    return place;
  };

  const toolbar = (store, query, change, use) => {
    const pair = (name) =>
      view.el(
        "span",
        { class: "pair" },
        field(query, `${name}_from`, `${name} from`, change, { type: "number", step: "any", class: "narrow" }),
        field(query, `${name}_to`, "to", change, { type: "number", step: "any", class: "narrow" }),
      );
    const anything = [
      ["", "any"],
      ["yes", "yes"],
      ["no", "no"],
    ];
    const isSet = [...query.keys()].some((each) => /_(from|to)$|^(success|cut|groups|method)$/.test(each));
    return view.el(
      "form",
      { class: "filters", role: "search", on: { submit: (event) => event.preventDefault() } },
      view.el(
        "div",
        { class: "line" },
        field(query, "q", "search", change, {
          type: "search",
          class: "wide-input",
          placeholder: "in prompts and completions",
        }),
        tick(query, "regex", "regular expression", change),
        choice(
          query,
          "order",
          "order",
          view.filter.orders.map((each) => [each, each]),
          change,
        ),
      ),
      view.el(
        "details",
        { open: isSet },
        view.el("summary", {}, "more filters"),
        view.el("div", { class: "line" }, view.filter.ranges.map(pair)),
        view.el(
          "div",
          { class: "line" },
          choice(query, "success", "success", anything, change),
          choice(query, "cut", "cut off", anything, change),
          choice(
            query,
            "groups",
            "groups",
            [
              ["", "any"],
              ["silent", "silent: all earned the same"],
              ["teaching", "with differences"],
            ],
            change,
          ),
          methodChoice(store, query, change, use),
        ),
      ),
    );
  };

  const show = (store, place, query) => {
    let index = null;
    const list = new view.VirtualList({
      label: "attempts",
      rowHeight: ROW_HEIGHT,
      make: row(store),
      open: (each) => {
        location.hash = address(store, each);
      },
    });
    const count = view.el("p", { class: "count", role: "status" });
    const update = (isSame = false) => {
      let found = [];
      try {
        found = view.filter.apply(store, query, index);
        view.fill(
          count,
          `${view.count(found.length, "attempt")} of ${store.size.toLocaleString("en-US")}`,
          store.hasAttempts ? "" : "; reading …",
        );
      } catch (error) {
        view.fill(count, `The regular expression cannot be read: ${error.message}`);
      }
      list.set(found, isSame === true);
    };
    const change = (name, value) => {
      if (value) query.set(name, value);
      else query.delete(name);
      history.replaceState(null, "", view.link("attempts", Object.fromEntries(query)));
      update();
    };
    const use = (found) => {
      index = found;
      if (query.get("method")) update();
    };
    const form = toolbar(store, query, change, use);
    form.querySelector("[name=order]").value = query.get("order") ?? "newest";
    view.fill(place, view.el("h1", {}, "Attempts"), form, count, list.element);
    update();
    return { update: () => {}, updateAttempts: () => update(true) };
  };

  return { show, address, marks };
})();
