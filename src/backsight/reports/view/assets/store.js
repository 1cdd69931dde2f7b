"use strict";
/* What is known of a run so far: metrics by name, and attempts in columns, made of the turns as they come in. */
view.Store = class Store {
  constructor(name) {
    this.name = name;
    this.facts = null;
    this.cursors = { metrics: "", evaluations: "", messages: "" };
    this.clearFacts();
    this.clearAttempts();
  }

  clearFacts() {
    this.metrics = { step: [], values: new Map() };
    this.evaluations = [];
    this.messages = [];
    this.damaged = {};
  }

  clearAttempts() {
    this.cursor = "";
    this.hasAttempts = false;
    this.skippedBytes = 0;
    this.prompts = [];
    this.promptTexts = [];
    this.places = new Map();
    this.turns = { prompt: [], completion: [], reward: [], advantage: [], tokens: [] };
    this.columns = {
      step: [],
      group: [],
      attempt: [],
      first: [],
      length: [],
      reward: [],
      advantage: [],
      tokens: [],
      success: [],
      cut: [],
      prompt: [],
    };
    this.rewards = new Map();
    this.groups = [];
    this.groupOf = [];
    this.byPrompt = null;
  }

  get size() {
    return this.columns.step.length;
  }

  /** Take new facts; return whether anything changed. */
  addFacts(facts) {
    const before = this.facts;
    const had = this.metrics.step.length + this.evaluations.length + this.messages.length;
    if (facts.metrics.is_anew) this.metrics = { step: [], values: new Map() };
    if (facts.evaluations.is_anew) this.evaluations = [];
    if (facts.messages.is_anew) this.messages = [];
    this.addMetrics(facts.metrics.rows);
    this.evaluations = this.evaluations.concat(facts.evaluations.rows);
    this.messages = this.messages.concat(facts.messages.rows);
    for (const name of Object.keys(this.cursors)) {
      this.cursors[name] = facts[name].cursor;
      this.damaged[name] = (facts[name].is_anew ? 0 : (this.damaged[name] ?? 0)) + facts[name].num_damaged;
    }
    this.facts = facts;
    const has = this.metrics.step.length + this.evaluations.length + this.messages.length;
    return (
      had !== has ||
      !before ||
      before.is_going_on !== facts.is_going_on ||
      before.traced.length !== facts.traced.length ||
      before.answered.length !== facts.answered.length
    );
  }

  addMetrics({ step, values }) {
    const length = this.metrics.step.length;
    this.metrics.step = this.metrics.step.concat(step);
    for (const name of new Set([...this.metrics.values.keys(), ...Object.keys(values)])) {
      const own = this.metrics.values.get(name) ?? new Array(length).fill(null);
      this.metrics.values.set(name, own.concat(values[name] ?? new Array(step.length).fill(null)));
    }
  }

  metric(name) {
    return this.metrics.values.get(name) ?? [];
  }

  metricNames(pattern) {
    return [...this.metrics.values.keys()].filter((name) => pattern.test(name));
  }

  /** Return the message that says why the run stopped; null while it goes on, or when it was killed. */
  get stopped() {
    const last = this.messages.at(-1)?.message ?? "";
    return !this.facts?.is_going_on && last.startsWith("stopped: ") ? last.slice("stopped: ".length) : null;
  }

  /** Take new turns; return how many. */
  addTurns(chunk) {
    if (chunk.is_anew) this.clearAttempts();
    this.hasAttempts = true;
    this.cursor = chunk.cursor;
    this.skippedBytes += chunk.skipped_bytes;
    this.damaged.attempts = (chunk.is_anew ? 0 : (this.damaged.attempts ?? 0)) + chunk.num_damaged;
    const promptOf = chunk.prompts.map((each) => this.addPrompt(each));
    const count = chunk.step.length;
    for (let row = 0; row < count; row += 1) this.addTurn(chunk, row, promptOf[chunk.prompt[row]]);
    if (count) this.byPrompt = null;
    return count;
  }

  addPrompt(prompt) {
    const key = typeof prompt === "string" ? prompt : JSON.stringify(prompt);
    let place = this.places.get(key);
    if (place === undefined) {
      place = this.prompts.length;
      this.places.set(key, place);
      this.prompts.push(prompt);
      this.promptTexts.push(view.promptText(prompt));
    }
    return place;
  }

  addTurn(chunk, row, prompt) {
    const { turns, columns } = this;
    const [step, group, attempt, turn] = [chunk.step[row], chunk.group[row], chunk.attempt[row], chunk.turn[row] ?? 0];
    const reward = chunk.reward[row] ?? NaN;
    const tokens = chunk.num_tokens[row] ?? NaN;
    const at = turns.prompt.length;
    turns.prompt.push(prompt);
    turns.completion.push(chunk.completion[row]);
    turns.reward.push(reward);
    turns.advantage.push(chunk.advantage[row] ?? NaN);
    turns.tokens.push(tokens);
    if (turn > 0 && this.size && columns.attempt.at(-1) === attempt && columns.step.at(-1) === step) {
      const own = this.size - 1;
      columns.length[own] += 1;
      columns.reward[own] += reward;
      columns.tokens[own] += tokens;
      columns.advantage[own] += (turns.advantage[at] - columns.advantage[own]) / columns.length[own];
      return;
    }
    const own = this.size;
    const last = this.groups.at(-1);
    const isSame = last && last.step === step && (group === null ? attempt !== 0 : last.number === group);
    if (!isSame) {
      const number = group ?? (last?.step === step ? last.number + 1 : 0);
      this.groups.push({ step, number, start: own, end: own });
    }
    this.groups.at(-1).end = own + 1;
    this.groupOf.push(this.groups.length - 1);
    columns.step.push(step);
    columns.group.push(this.groups.at(-1).number);
    columns.attempt.push(attempt);
    columns.first.push(at);
    columns.length.push(1);
    columns.reward.push(reward);
    columns.advantage.push(turns.advantage[at]);
    columns.tokens.push(tokens);
    columns.success.push(chunk.success[row]);
    columns.cut.push(chunk.cut_off[row]);
    columns.prompt.push(prompt);
    for (const name of Object.keys(chunk.rewards)) {
      if (!this.rewards.has(name)) this.rewards.set(name, []);
      this.rewards.get(name)[own] = chunk.rewards[name][row];
    }
  }

  /** Return whether all siblings of a group earned the same, so that plain reinforcement learning learns nothing. */
  isSilent(group) {
    const { reward } = this.columns;
    let first = NaN;
    for (let each = group.start; each < group.end; each += 1) {
      if (Number.isNaN(reward[each])) continue;
      if (Number.isNaN(first)) first = reward[each];
      else if (Math.abs(reward[each] - first) > 1e-9) return false;
    }
    return true;
  }

  /** Return the index of an attempt; -1 when it is not held. */
  find(step, group, attempt) {
    const own = this.groups.find((each) => each.step === step && each.number === group);
    if (!own) return -1;
    for (let each = own.start; each < own.end; each += 1) if (this.columns.attempt[each] === attempt) return each;
    return -1;
  }

  /** Return what an attempt said, its turns one below the other. */
  said(attempt) {
    const { first, length } = this.columns;
    if (length[attempt] === 1) return this.turns.completion[first[attempt]] ?? "";
    return this.turns.completion
      .slice(first[attempt], first[attempt] + length[attempt])
      .map((each) => each ?? "")
      .join("\n");
  }

  /** Return the groups that were asked the same prompt, oldest first. */
  samePrompt(prompt) {
    if (!this.byPrompt) {
      this.byPrompt = new Map();
      for (const group of this.groups) {
        const own = this.columns.prompt[group.start];
        if (!this.byPrompt.has(own)) this.byPrompt.set(own, []);
        this.byPrompt.get(own).push(group);
      }
    }
    return this.byPrompt.get(prompt) ?? [];
  }
};
