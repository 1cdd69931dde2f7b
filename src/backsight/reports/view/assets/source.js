"use strict";
/* Where data come from: blocks of this file, which are unpacked when they are asked for, or the server. */
view.source = (() => {
  const unpack = async (id) => {
    const place = document.getElementById(id);
    const packed = atob(JSON.parse(place.textContent));
    place.remove();
    const bytes = new Uint8Array(packed.length);
    for (let at = 0; at < packed.length; at += 1) bytes[at] = packed.charCodeAt(at);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  };

  const held = new Map();
  const block = (name) => {
    if (!held.has(name))
      held.set(name, name in source.about.blocks ? unpack(source.about.blocks[name]) : Promise.resolve(null));
    return held.get(name);
  };

  const request = async (path, query, body) => {
    const words = new URLSearchParams(query).toString();
    const options = body && {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
    let answer;
    try {
      answer = await fetch(`${path}${words ? `?${words}` : ""}`, options);
    } catch {
      throw new Error("The view has ended: its server does not answer. Start it again with backsight view.");
    }
    const found = await answer.json().catch(() => ({ error: `the server answers ${answer.status}` }));
    if (!answer.ok) throw new Error(found.error);
    return found;
  };

  const kept = new Map();
  const keep = (key, make) => {
    if (!kept.has(key)) {
      if (kept.size > 24) kept.delete(kept.keys().next().value);
      kept.set(
        key,
        make().catch((error) => {
          kept.delete(key);
          throw error;
        }),
      );
    }
    return kept.get(key);
  };
  const packedRows = (kind, run, step) =>
    source.about.is_live
      ? keep(`${kind} ${run} ${step}`, async () => (await request(`data/${kind}`, { run, step })).rows)
      : block(`${kind} ${run} ${step}`);

  const source = {
    about: null,
    open: async () => {
      source.about = await unpack("source");
      return source.about;
    },
    runs: async () => (source.about.is_live ? (await request("data/runs")).runs : source.about.runs),
    facts: (run, cursors) =>
      source.about.is_live ? request("data/facts", { run, ...cursors }) : block(`facts ${run}`),
    attempts: (run, cursor) =>
      source.about.is_live ? request("data/attempts", { run, cursor }) : block(`attempts ${run}`),
    /** Rows of a traced step; null where the page does not hold them. */
    traces: (run, step) => packedRows("traces", run, step),
    answers: (run, step) => packedRows("answers", run, step),
    credit: (run, traced) =>
      source.about.is_live
        ? keep(`credit ${run} ${traced}`, () => request("data/credit", { run }))
        : block(`credit ${run}`),
    ask: (kind, question) => request(`ask/${kind}`, {}, question),
    asked: () => request("data/asked"),
  };
  return source;
})();
