"use strict";
/* Which attempts are shown, and in which order. The choice is a set of words of the address, so that it can be sent. */
view.filter = (() => {
  const RANGES = { step: "step", reward: "reward", advantage: "advantage", tokens: "tokens" };
  const ORDERS = {
    newest: (columns) => [columns.step, -1],
    oldest: (columns) => [columns.step, 1],
    "highest reward": (columns) => [columns.reward, -1],
    "lowest reward": (columns) => [columns.reward, 1],
    "highest advantage": (columns) => [columns.advantage, -1],
    "lowest advantage": (columns) => [columns.advantage, 1],
    longest: (columns) => [columns.tokens, -1],
    shortest: (columns) => [columns.tokens, 1],
  };

  /** Return the pattern that a text is searched by; null for no search. */
  const pattern = (query) => {
    const words = query.get("q") ?? "";
    if (!words) return null;
    if (query.get("regex")) return new RegExp(words, "iu");
    return new RegExp(words.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&"), "i");
  };

  const ranges = (store, query) =>
    Object.entries(RANGES).flatMap(([name, column]) => {
      const [low, high] = [query.get(`${name}_from`), query.get(`${name}_to`)].map((each) =>
        each ? Number(each) : null,
      );
      if (low === null && high === null) return [];
      const own = store.columns[column];
      return [(each) => own[each] >= (low ?? -Infinity) && own[each] <= (high ?? Infinity)];
    });

  const choices = (store, query, index) => {
    const { success, cut, step, group, attempt } = store.columns;
    const found = [];
    const wanted = (name) => query.get(name);
    if (wanted("success")) found.push((each) => success[each] === (wanted("success") === "yes" ? 1 : 0));
    if (wanted("cut")) found.push((each) => (cut[each] === 1) === (wanted("cut") === "yes"));
    if (wanted("groups")) {
      const silent = store.groups.map((each) => store.isSilent(each));
      found.push((each) => silent[store.groupOf[each]] === (wanted("groups") === "silent"));
    }
    if (wanted("method") && index) {
      const known = new Set(
        index
          .filter((row) => wanted("method") === "*" || row[3] === wanted("method"))
          .map((row) => row.slice(0, 3).join("/")),
      );
      found.push((each) => known.has(`${step[each]}/${group[each]}/${attempt[each]}`));
    }
    return found;
  };

  const search = (store, query) => {
    const sought = pattern(query);
    if (!sought) return [];
    const asked = store.promptTexts.map((each) => sought.test(each));
    const { first, length } = store.columns;
    const { prompt, completion } = store.turns;
    return [
      (each) => {
        for (let turn = first[each]; turn < first[each] + length[each]; turn += 1) {
          if (asked[prompt[turn]] || sought.test(completion[turn] ?? "")) return true;
        }
        return false;
      },
    ];
  };

  /** Return the indices of the attempts that are wanted, in the order that is wanted. */
  const apply = (store, query, index) => {
    const tests = [...choices(store, query, index), ...ranges(store, query), ...search(store, query)];
    const found = [];
    for (let each = 0; each < store.size; each += 1) {
      let isWanted = true;
      for (let at = 0; isWanted && at < tests.length; at += 1) isWanted = tests[at](each);
      if (isWanted) found.push(each);
    }
    return sorted(store, found, query.get("order") ?? "newest");
  };

  const sorted = (store, found, order) => {
    if (order === "oldest") return found;
    const [column, sign] = (ORDERS[order] ?? ORDERS.newest)(store.columns);
    const value = (each) => (Number.isNaN(column[each]) ? Infinity : column[each] * sign);
    const keys = new Float64Array(store.size);
    for (const each of found) keys[each] = value(each);
    return found.sort((one, two) => (keys[one] === keys[two] ? one - two : keys[one] - keys[two]));
  };

  return { apply, orders: Object.keys(ORDERS), ranges: Object.keys(RANGES) };
})();
