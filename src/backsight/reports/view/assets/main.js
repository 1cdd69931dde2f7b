"use strict";
/* The page as a whole: its places, their addresses, and the news of runs that go on. */
(() => {
  const TABS = [
    ["run", "Run"],
    ["attempts", "Attempts"],
    ["evaluations", "Evaluations"],
    ["credit", "Credit"],
  ];
  const TAB_OF = { step: "attempts", group: "attempts", attempt: "attempts" };
  const WAIT = 2000;
  const stores = new Map();
  const [top, main, problem] = ["top", "main", "problem"].map((each) => document.getElementById(each));
  let shown = null;

  const tell = (error) => {
    problem.hidden = !error;
    problem.textContent = error ? view.visible(error.message) : "";
  };

  const read = () => {
    const [place, words] = location.hash.replace(/^#\/?/, "").split("?");
    view.route = { place, query: new URLSearchParams(words ?? "") };
    const store = stores.get(view.route.query.get("run")) ?? (stores.size === 1 ? [...stores.values()][0] : null);
    if (store) view.route.query.set("run", store.name);
    return store;
  };

  const header = (store) => {
    const place = TAB_OF[view.route.place] ?? view.route.place;
    const tabs = store ? TABS : [];
    const state = store?.facts && (store.facts.is_going_on ? "going on" : store.stopped ? "stopped" : "not going on");
    view.fill(
      top,
      view.el(
        "div",
        { class: "title" },
        stores.size > 1 &&
          view.el("a", { href: "#/runs", "aria-current": store ? null : "page" }, view.source.about.title),
        store && view.el("b", {}, view.visible(store.name)),
        state && view.el("span", { class: `state ${store.facts.is_going_on ? "live" : ""}` }, state),
      ),
      view.el(
        "nav",
        { "aria-label": "parts of the page" },
        tabs.map(([name, title]) =>
          view.el("a", { href: view.link(name), "aria-current": (place || "run") === name ? "page" : null }, title),
        ),
      ),
    );
    document.title = `${store ? store.name : view.source.about.title} · backsight`;
  };

  const tracedOf = (store) => async (step) =>
    store.facts.traced.includes(step)
      ? view.source.traces(store.name, step).catch((error) => {
          tell(error);
          return [];
        })
      : [];

  const show = () => {
    const store = read();
    view.charts.leave();
    header(store);
    if (!store) {
      shown = view.runs.show(() => [...stores.values()], main);
      return;
    }
    if (!store.facts) {
      view.fill(main, view.missing("Reading …"));
      shown = null;
      return;
    }
    const { place, query } = view.route;
    const places = {
      attempts: () => view.attempts.show(store, main, query),
      step: () => view.step.show(store, main, query, tracedOf(store)),
      group: () => view.step.showGroup(store, main, query),
      attempt: () => view.attempt.show(store, main, query, tracedOf(store)),
      evaluations: () => view.evaluations.show(store, main),
      credit: () => view.credit.show(store, main),
    };
    shown = (places[place] ?? (() => view.overview.show(store, main)))();
  };

  addEventListener("hashchange", () => {
    tell(null);
    show();
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
    view.say(main.querySelector("h1")?.textContent ?? "");
    follow().then(follow); // the look that goes on may be at another run
  });

  /** Read what is new of a run; its attempts in pieces, so that the page stays at hand. */
  const refresh = async (store) => {
    const isFirst = !store.facts;
    const isNew = store.addFacts(await view.source.facts(store.name, store.cursors));
    const isHere = read() === store;
    if (isFirst && isHere) show();
    else if (isNew && isHere) {
      header(store);
      shown?.update?.();
    }
    return isNew;
  };

  /** Read what is new of all runs, whose curves stand in one picture. */
  const refreshAll = async () => {
    const before = [...stores.values()].filter((each) => each.facts).length;
    let isNew = false;
    for (const store of stores.values())
      if (view.source.about.is_live || !store.facts) isNew = (await refresh(store)) || isNew;
    if (read()) return;
    if ([...stores.values()].filter((each) => each.facts).length !== before) show();
    else if (isNew) shown?.update?.();
  };

  const refreshAttempts = async (store) => {
    for (let more = true; more;) {
      await new Promise((go) => {
        setTimeout(go, 0);
      });
      const chunk = await view.source.attempts(store.name, store.cursor);
      const isFirst = !store.hasAttempts;
      const count = store.addTurns(chunk);
      more = chunk.has_more && view.source.about.is_live;
      if ((count || isFirst) && read() === store) shown?.updateAttempts?.(true);
    }
  };

  let following = null;
  const follow = () => {
    following ??= look().finally(() => {
      following = null;
    });
    return following;
  };

  const look = async () => {
    try {
      for (const name of await view.source.runs()) if (!stores.has(name)) stores.set(name, new view.Store(name));
      const open = read();
      if (!open) await refreshAll();
      else if (view.source.about.is_live || !open.facts) await refresh(open);
      if (open && (view.source.about.is_live || !open.hasAttempts)) await refreshAttempts(open);
      if (view.source.about.is_live) tell(null);
    } catch (error) {
      tell(error);
    }
  };

  const begin = async () => {
    await view.source.open();
    for (const name of await view.source.runs().catch((error) => {
      tell(error);
      return [];
    }))
      stores.set(name, new view.Store(name));
    show();
    await follow();
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
    if (view.source.about.is_live)
      for (;;) {
        await new Promise((go) => {
          setTimeout(go, WAIT);
        });
        if (!document.hidden) await follow();
      }
  };
  begin().catch(tell);
})();
