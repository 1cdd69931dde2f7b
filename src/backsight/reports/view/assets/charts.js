"use strict";
/* Curves over steps. Each can be read by mouse, by keyboard and as a table, and a point leads to its step. */
view.charts = (() => {
  const LIGHT = ["#1f6fb4", "#c4561c", "#2a8a57", "#8a4fae", "#b3324a", "#77740f", "#0f8791", "#7a5a44"];
  const DARK = ["#6fb3f2", "#f0935f", "#67c793", "#c193e6", "#f07f92", "#cfcb62", "#54c9d3", "#cbab92"];
  const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];
  const MOST_TABLE_ROWS = 400;
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const live = new Set();
  const together = uPlot.sync("steps");

  const color = (place) => (scheme.matches ? DARK : LIGHT)[place % LIGHT.length];
  const dash = (place) => DASHES[Math.floor(place / LIGHT.length) % DASHES.length];
  const styleOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  /** Bring series with steps of their own onto one axis. */
  const align = (series) => {
    const steps = [...new Set(series.flatMap((each) => each.x))].sort((one, two) => one - two);
    const places = new Map(steps.map((step, at) => [step, at]));
    const spread = (x, y) => {
      const own = new Array(steps.length).fill(undefined);
      x.forEach((step, at) => {
        own[places.get(step)] = y[at] ?? undefined;
      });
      return own;
    };
    return { steps, columns: series.map((each) => spread(each.x, each.y)) };
  };

  const stacked = (columns) => {
    const sums = columns.map((each) => each.slice());
    for (let at = sums.length - 2; at >= 0; at -= 1)
      sums[at] = sums[at].map((own, row) => (own ?? 0) + (sums[at + 1][row] ?? 0));
    return sums;
  };

  const drawIntervals = (chart) => (plot) => {
    const { ctx } = plot;
    ctx.save();
    ctx.lineWidth = 1.5 * devicePixelRatio;
    chart.series.forEach((each, place) => {
      if (!each.low) return;
      ctx.strokeStyle = color(place);
      const shift = (place - (chart.series.length - 1) / 2) * 4 * devicePixelRatio;
      each.x.forEach((step, at) => {
        if (each.low[at] === null || each.low[at] === undefined) return;
        const x = plot.valToPos(step, "x", true) + shift;
        ctx.beginPath();
        ctx.moveTo(x, plot.valToPos(each.low[at], "y", true));
        ctx.lineTo(x, plot.valToPos(each.high[at], "y", true));
        ctx.stroke();
      });
    });
    ctx.restore();
  };

  const drawMarks = (chart) => (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.strokeStyle = styleOf("--strong-line");
    ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const step of chart.marks) {
      const x = Math.round(plot.valToPos(step, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };

  const range = (chart) => (_, low, high) => {
    let [least, most] = [low ?? 0, high ?? 1];
    for (const each of chart.series)
      for (const own of [...(each.low ?? []), ...(each.high ?? [])]) {
        if (own === null || own === undefined) continue;
        [least, most] = [Math.min(least, own), Math.max(most, own)];
      }
    if (chart.isStacked) least = 0;
    const room = (most - least || Math.abs(most) || 1) * 0.08;
    return [chart.isStacked || (least >= 0 && least < room * 3) ? Math.min(0, least) : least - room, most + room];
  };

  /** Return the room beside the first and the last step, where intervals of several series stand side by side. */
  const room = (chart, low, high) => {
    if (low === high) return 1;
    return chart.series.some((each) => each.low) ? (high - low) * 0.03 : 0;
  };

  const options = (chart, width) => {
    const axis = {
      stroke: styleOf("--quiet"),
      grid: { stroke: styleOf("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    return {
      width,
      height: chart.height,
      legend: { show: false },
      cursor: {
        sync: { key: together.key },
        points: { size: 7 },
        drag: { setScale: false, x: false, y: false },
        y: false,
      },
      scales: {
        x: { time: false, range: (_, low, high) => [low - room(chart, low, high), high + room(chart, low, high)] },
        y: { range: range(chart) },
      },
      axes: [
        {
          ...axis,
          size: 30,
          gap: 4,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000],
        },
        { ...axis, size: 48, gap: 4, values: (_, ticks) => ticks.map((each) => view.num(each, 3)) },
      ],
      series: [
        {},
        ...chart.series.map((each, place) => ({
          label: each.name,
          stroke: color(place),
          dash: dash(place),
          width: chart.isStacked ? 1 : 1.75,
          spanGaps: true,
          fill: chart.isStacked ? `${color(place)}55` : undefined,
          points: { show: each.x.length < 3 || Boolean(each.low), size: 6, fill: styleOf("--ground") },
        })),
      ],
      bands: chart.isStacked ? chart.series.slice(1).map((_, place) => ({ series: [place + 1, place + 2] })) : [],
      hooks: { draw: [drawMarks(chart), drawIntervals(chart)], setCursor: [(plot) => chart.readOut(plot.cursor.idx)] },
    };
  };

  class Chart {
    constructor(title, { note = "", height = 170, isStacked = false, open = null, series }) {
      Object.assign(this, {
        title,
        height,
        isStacked,
        open,
        make: series,
        series: [],
        marks: [],
        columns: [],
        steps: [],
      });
      this.legend = view.el("ul", { class: "legend" });
      const keys = open ? "arrow keys move, Enter opens the step" : "arrow keys move";
      this.area = view.el("div", {
        class: "plot",
        tabindex: "0",
        role: "group",
        "aria-roledescription": "chart",
        "aria-label": `${title} by step; ${keys}`,
        on: { keydown: (event) => this.key(event), click: () => this.openAt(this.plot?.cursor.idx) },
      });
      this.values = view.el(
        "details",
        { class: "values", on: { toggle: () => this.tabulate() } },
        view.el("summary", {}, "values"),
      );
      this.element = view.el(
        "figure",
        { class: "chart" },
        view.el(
          "figcaption",
          {},
          view.el("strong", {}, title),
          note && view.el("span", { class: "quiet" }, ` ${note}`),
        ),
        this.area,
        this.legend,
        this.values,
      );
      live.add(this);
    }

    /** Draw what there is now. */
    update(marks = []) {
      if (!this.element.isConnected) return;
      const before = this.series.map((each) => each.name).join("\n");
      this.series = this.make().filter((each) => each.y.some((own) => own !== null && own !== undefined));
      this.marks = marks;
      this.element.hidden = !this.series.length;
      if (!this.series.length) return;
      ({ steps: this.steps, columns: this.columns } = align(this.series));
      const data = [this.steps, ...(this.isStacked ? stacked(this.columns) : this.columns)];
      const width = this.area.clientWidth;
      if (!this.plot || before !== this.series.map((each) => each.name).join("\n")) {
        this.destroyPlot();
        if (width) this.plot = new uPlot(options(this, width), data, this.area);
      } else this.plot.setData(data);
      this.readOut(null);
      if (this.values.open) this.tabulate();
    }

    resize() {
      const width = this.area.clientWidth;
      if (this.plot && width && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
    }

    destroyPlot() {
      this.plot?.destroy();
      this.plot = null;
    }

    /** Show the values at a place of the axis; the last ones where none is given. */
    readOut(at) {
      const last = (own) => own.findLast((each) => each !== undefined);
      const where = at === null || at === undefined ? "last" : `step ${this.steps[at]}`;
      view.fill(
        this.legend,
        this.series.map((each, place) => {
          const value = where === "last" ? last(this.columns[place]) : this.columns[place][at];
          return view.el(
            "li",
            {},
            view.el("i", { style: { "--own": color(place) }, class: dash(place).length ? "dashed" : null }),
            view.el("span", {}, each.name),
            view.el("b", {}, view.num(value)),
          );
        }),
        view.el("li", { class: "quiet" }, where === "last" ? "" : where),
      );
    }

    key(event) {
      if (!this.plot) return;
      const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
      const now = this.plot.cursor.idx;
      if (event.key in moves) {
        const start = moves[event.key] > 0 ? -1 : this.steps.length;
        const next = Math.min(this.steps.length - 1, Math.max(0, (now ?? start) + moves[event.key]));
        this.plot.setCursor({ left: this.plot.valToPos(this.steps[next], "x"), top: 10 });
        const values = this.series.map((each, place) => `${each.name} ${view.num(this.columns[place][next])}`);
        view.say(`step ${this.steps[next]}: ${values.join(", ")}`);
        event.preventDefault();
      } else if (event.key === "Enter") this.openAt(now);
    }

    openAt(at) {
      if (this.open && at !== null && at !== undefined) this.open(this.steps[at]);
    }

    tabulate() {
      this.values.querySelector(".wide")?.remove();
      if (!this.values.open) return;
      const heads = [["step", "number"], ...this.series.map((each) => [each.name, "number"])];
      const from = Math.max(0, this.steps.length - MOST_TABLE_ROWS);
      const interval = (each, step) => {
        const at = each.low ? each.x.indexOf(step) : -1;
        return at < 0 ? "" : ` (${view.num(each.low[at])} to ${view.num(each.high[at])})`;
      };
      const rows = this.steps
        .slice(from)
        .map((step, row) => [
          this.open ? view.el("a", { href: view.link("step", { step }) }, String(step)) : String(step),
          ...this.series.map((each, place) => view.num(this.columns[place][from + row], 4) + interval(each, step)),
        ])
        .reverse();
      this.values.append(view.table(`${this.title}: values`, heads, rows));
    }
  }

  const redraw = () =>
    live.forEach((each) => {
      if (!each.element.isConnected) return;
      each.destroyPlot();
      each.update(each.marks);
    });
  scheme.addEventListener("change", redraw);
  addEventListener("resize", () => requestAnimationFrame(() => live.forEach((each) => each.resize())));

  /** Forget the charts of a place that was left. */
  const leave = () => {
    live.forEach((each) => each.destroyPlot());
    live.clear();
  };

  return { Chart, leave, color };
})();
