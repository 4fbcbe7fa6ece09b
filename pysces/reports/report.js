// The tables, the panel of a gene and the network view of a report. All text is set as text
// (never as markup), and nothing is requested: the data are in the element #page-data.
"use strict";
(() => {
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const MINUS = "\u2212";

  // --- elements and numbers --------------------------------------------------------------------

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }
  const html = (tag, attributes, ...children) =>
    fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

  const whole = (value) => value.toLocaleString("en-US").replace("-", MINUS);
  function fraction(value) {
    const size = Math.abs(value);
    const text = size >= 1e5 || (size < 1e-3 && size > 0) ? value.toExponential(1)
      : size === 0 ? "0" : value.toPrecision(3);
    return text.replaceAll("-", MINUS);
  }
  function percent(value) {
    const number = 100 * value;
    return `${number !== 0 && number < 10 ? number.toPrecision(2) : number.toFixed(0)} %`;
  }
  const counted = (n, one) => `${whole(n)} ${one}${n === 1 ? "" : "s"}`;
  const link = (name) => `#gene=${encodeURIComponent(name)}`;

  // --- columns ---------------------------------------------------------------------------------

  const coded = (column) => column.codes !== undefined;
  const length = (column) =>
    coded(column) ? column.codes.length : (column.kind === "box" ? column.values[3] : column.values).length;
  const column = (table, title) => (page.tables[table] ?? []).find((one) => one.title === title);
  function text(one, row) {
    const code = one.codes[row];
    return code < 0 ? "" : one.labels[code];
  }

  // A number of a column as text: all with decimals if one has
  function shown(one, row) {
    const value = one.values[row] ?? null;
    if (value === null) return "–";
    if (one.kind === "share") return percent(value);
    one.whole ??= one.values.every((other) => (other ?? null) === null || Number.isInteger(other));
    return one.whole ? whole(value) : fraction(value);
  }

  // A number for each row by which a column sorts; NaN comes last
  function keys(one) {
    if (one.keys) return one.keys;
    if (coded(one)) {
      const collator = new Intl.Collator("en", { numeric: true });
      const order = one.labels.map((_, code) => code);
      if (one.kind === "gene") order.sort((a, b) => collator.compare(one.labels[a], one.labels[b]));
      const places = new Float64Array(order.length);
      order.forEach((code, place) => { places[code] = place; });
      one.keys = Float64Array.from(one.codes, (code) => (code < 0 ? NaN : places[code]));
    } else {
      one.keys = Float64Array.from(one.kind === "box" ? one.values[1] : one.values, (v) => v ?? NaN);
    }
    return one.keys;
  }

  // The test of a filter such as ">0.5", "0.1..0.3" or "12"; null if it is not understood
  function numberTest(given) {
    const words = given.replaceAll(MINUS, "-").replaceAll(" ", "");
    const between = words.split("..");
    if (between.length === 2 && between.every((end) => end !== "" && Number.isFinite(+end)))
      return (value) => value >= +between[0] && value <= +between[1];
    const [, sign, end] = /^(>=|<=|>|<|=)?(.+)$/.exec(words) ?? [];
    if (end === undefined || !Number.isFinite(+end)) return null;
    return {
      ">": (value) => value > +end, ">=": (value) => value >= +end,
      "<": (value) => value < +end, "<=": (value) => value <= +end,
    }[sign] ?? ((value) => value === +end);
  }

  // --- tables ----------------------------------------------------------------------------------

  let tablesMade = 0;

  class Table {
    constructor(host, name, columns, rows = null, small = false) {
      Object.assign(this, { host, name, columns, small });
      this.rows = rows ?? Int32Array.from({ length: length(columns[0]) }, (_, row) => row);
      this.tests = new Map();
      this.query = "";
      this.sorted = null;
      this.descending = false;
      this.page = 0;
      this.perPage = small ? 10 : 25;
      this.boxes = new Map();
      this.id = `table${++tablesMade}`;
      this.build();
      this.update();
    }

    build() {
      const search = html("input", {
        type: "search", "aria-label": `Search ${this.name}`, placeholder: "Search names",
        oninput: () => { this.query = search.value.trim().toLowerCase(); this.update(); },
      });
      const filters = html("tr", { class: "filters", hidden: "", id: `${this.id}-filters` },
        ...this.columns.map((one) => html("td", {}, ...this.filter(one))));
      const toggle = html("button", {
        type: "button", "aria-expanded": "false", "aria-controls": filters.id,
        onclick: () => {
          filters.hidden = !filters.hidden;
          toggle.setAttribute("aria-expanded", String(!filters.hidden));
        },
      }, "Filter columns");
      const save = html("button", { type: "button", onclick: () => this.download() },
        "Download TSV");
      this.status = html("p", { class: "status", role: "status" });
      this.heads = this.columns.map((one) => html("th", { scope: "col", class: coded(one) || one.kind === "box" ? one.kind : "number" },
        html("button", { type: "button", onclick: () => this.sort(one) }, one.title)));
      this.body = html("tbody");
      const table = html("table", {},
        html("thead", {}, html("tr", {}, ...this.heads), filters), this.body);
      const turn = (label, symbol, to) => html("button", {
        type: "button", "aria-label": label, onclick: () => { this.page = to(); this.draw(); },
      }, symbol);
      this.pager = html("div", { class: "pager" },
        turn("First page", "«", () => 0),
        turn("Previous page", "‹", () => this.page - 1),
        turn("Next page", "›", () => this.page + 1),
        turn("Last page", "»", () => this.pages() - 1));
      const helps = this.columns.filter((one) => one.help)
        .map((one) => html("div", {}, html("dt", {}, one.title), html("dd", {}, one.help)));
      this.host.replaceChildren(
        html("div", { class: "tools" }, ...(this.rows.length > 10 ? [search, toggle] : []), save),
        html("div", {
          class: "scroll", tabindex: "0", role: "region", "aria-label": `Table of ${this.name}`,
        }, table),
        html("div", { class: "below" }, this.status, this.pager),
        html("details", { class: "help" }, html("summary", {}, "About the columns"),
          html("dl", {}, ...helps),
          html("p", {}, "Filters of numbers: >0.5, <=3, 0.1..0.3 or 12. Numbers have four " +
            "significant digits. The download has the rows that the search and the filters leave.")),
      );
    }

    filter(one) {
      if (one.kind === "box") return [];
      const label = `Filter ${one.title}`;
      const set = (test) => {
        if (test) this.tests.set(one, test); else this.tests.delete(one);
        this.update();
      };
      if (coded(one) && one.kind === "label" && one.labels.length <= 60) {
        const choice = html("select", {
          "aria-label": label,
          onchange: () => {
            const code = +choice.value;
            set(code >= 0 ? (row) => one.codes[row] === code : null);
          },
        }, html("option", { value: -1 }, "all"),
        ...one.labels.map((name, code) => html("option", { value: code }, name)));
        return [choice];
      }
      const input = html("input", {
        "aria-label": label, placeholder: coded(one) ? "contains" : "e.g. >0.5", size: 7,
        oninput: () => {
          const given = input.value.trim();
          if (coded(one)) {
            const fits = one.labels.map((name) => name.toLowerCase().includes(given.toLowerCase()));
            set(given ? (row) => fits[one.codes[row]] : null);
            return;
          }
          const test = given ? numberTest(given) : null;
          input.setAttribute("aria-invalid", String(Boolean(given) && !test));
          set(test && ((row) => one.values[row] !== null && test(one.values[row])));
        },
      });
      return [input];
    }

    sort(one) {
      this.descending = this.sorted === one ? !this.descending : !coded(one);
      this.sorted = one;
      this.update();
    }

    update() {
      const tests = [...this.tests.values()];
      if (this.query) {
        const fits = this.columns.filter(coded).map((one) =>
          [one, one.labels.map((name) => name.toLowerCase().includes(this.query))]);
        tests.push((row) => fits.some(([one, fit]) => fit[one.codes[row]]));
      }
      this.shown = this.rows.filter((row) => tests.every((test) => test(row)));
      if (this.sorted) {
        const key = keys(this.sorted), way = this.descending ? -1 : 1;
        this.shown.sort((a, b) => {
          const x = key[a], y = key[b];
          if (x === y) return a - b;
          if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b;
          return way * (x - y);
        });
      }
      this.columns.forEach((one, place) => {
        const way = this.descending ? "descending" : "ascending";
        if (one === this.sorted) this.heads[place].setAttribute("aria-sort", way);
        else this.heads[place].removeAttribute("aria-sort");
      });
      this.page = 0;
      this.draw();
    }

    pages() { return Math.max(1, Math.ceil(this.shown.length / this.perPage)); }

    draw() {
      const first = this.page * this.perPage;
      const rows = this.shown.subarray(first, first + this.perPage);
      this.body.replaceChildren(...Array.from(rows, (row) =>
        html("tr", {}, ...this.columns.map((one) => this.cell(one, row)))));
      const all = this.rows.length, left = this.shown.length;
      const range = left ? `${whole(first + 1)} to ${whole(first + rows.length)} of ` : "";
      this.status.textContent = `${range}${counted(left, "row")}` +
        (left < all ? ` (${whole(all)} without search and filters)` : "");
      const [start, back, next, end] = this.pager.children;
      start.disabled = back.disabled = this.page === 0;
      next.disabled = end.disabled = this.page >= this.pages() - 1;
      this.pager.hidden = this.pages() === 1;
    }

    cell(one, row) {
      if (one.kind === "box") return html("td", { class: "box" }, this.box(one, row));
      if (!coded(one)) return html("td", { class: "number" }, shown(one, row));
      const name = text(one, row);
      if (one.kind === "gene") return html("td", { class: "gene" }, html("a", { href: link(name) }, name));
      const sign = one.kind === "label" && one.title === "sign" ? (name === "+" ? " up" : " down") : "";
      return html("td", { class: `${one.kind}${sign}` }, name);
    }

    // Quartiles, median and mean on an axis that all rows share
    box(one, row) {
      const values = one.values.map((list) => list[row]);
      if (values.includes(null)) return "–";
      if (!this.boxes.has(one)) {
        const all = Array.from(this.rows).flatMap((r) => one.values.map((list) => list[r] ?? 0));
        const low = all.reduce((a, b) => Math.min(a, b), 0), high = all.reduce((a, b) => Math.max(a, b), 0);
        this.boxes.set(one, (v) => 4 + 132 * (v - low) / (high - low || 1));
      }
      const at = this.boxes.get(one), [low, median, high, mean] = values;
      const label = `median ${fraction(median)}, quartiles ${fraction(low)} and ${fraction(high)}`;
      return svg("svg", { viewBox: "0 0 140 16", width: 140, height: 16, role: "img", "aria-label": label },
        svg("line", { x1: at(0), x2: at(0), y1: 0, y2: 16, class: "zero" }),
        svg("rect", {
          x: at(low), y: 3, width: Math.max(1, at(high) - at(low)), height: 10, rx: 2,
          class: median < 0 ? "down" : "up",
        }),
        svg("line", { x1: at(median), x2: at(median), y1: 3, y2: 13, class: "median" }),
        svg("circle", { cx: at(mean), cy: 8, r: 2.2, class: "mean" }));
    }

    tsv() {
      const clean = (value) => {
        const words = String(value ?? "").replace(/[\t\r\n]+/g, " ");
        return words.includes('"') ? `"${words.replaceAll('"', '""')}"` : words;
      };
      const parts = this.columns.flatMap((one) => {
        if (coded(one)) return [[one.title, (row) => text(one, row)]];
        if (one.kind !== "box") return [[one.title, (row) => one.values[row]]];
        return ["first quartile", "median", "third quartile"].map((title, place) =>
          [title, (row) => one.values[place][row]]);
      });
      const lines = [parts.map(([title]) => clean(title)).join("\t")];
      for (const row of this.shown) lines.push(parts.map(([, of]) => clean(of(row))).join("\t"));
      return `${lines.join("\n")}\n`;
    }

    download() {
      const url = URL.createObjectURL(new Blob([this.tsv()], { type: "text/tab-separated-values" }));
      const file = `${this.name.replace(/[^\w.-]+/g, "_")}.tsv`;
      html("a", { href: url, download: file }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
    }
  }

  // --- edges -----------------------------------------------------------------------------------

  const edges = page.tables.edges ?? null;
  const [source, target] = edges ?? [];
  const groups = column("edges", "group");
  const sign = column("edges", "sign");
  const strength = ["rank", "MI", "support", "likelihood", "weight"]
    .map((title) => column("edges", title)).find(Boolean);
  const isRegulator = new Set(source?.labels);

  // Rows of edges, the most certain ones first
  function strongest(rows) {
    if (!strength) return rows;
    const way = strength.title === "rank" ? 1 : -1;
    const of = (row) => Math.abs(strength.values[row] ?? 0);
    return rows.slice().sort((a, b) => way * (of(a) - of(b)) || a - b);
  }

  // Rows of edges by the code of a name
  function rowsBy(one) {
    if (!one) return () => new Int32Array();
    const starts = new Int32Array(one.labels.length + 1);
    for (const code of one.codes) starts[code + 1]++;
    for (let code = 0; code < one.labels.length; code++) starts[code + 1] += starts[code];
    const rows = new Int32Array(one.codes.length), next = starts.slice();
    one.codes.forEach((code, row) => { rows[next[code]++] = row; });
    const codes = new Map(one.labels.map((name, code) => [name, code]));
    return (name) => {
      const code = codes.get(name);
      return code === undefined ? new Int32Array() : rows.slice(starts[code], starts[code + 1]);
    };
  }
  const regulonOf = rowsBy(source), regulatorsOf = rowsBy(target);

  // --- network view ----------------------------------------------------------------------------

  class Graph {
    constructor(host, rows, centre = null) {
      Object.assign(this, { host, centre });
      this.read(rows);
      this.layout();
      this.build();
      this.touched = false;
      new ResizeObserver(() => { if (this.touched) this.place(); else this.fit(); }).observe(this.view);
    }

    // Genes and arrows of rows of edges; an edge of several groups is one arrow
    read(rows) {
      const nodes = new Map(), arrows = new Map();
      const node = (name) => {
        if (!nodes.has(name)) nodes.set(name, { name, place: nodes.size, x: 0, y: 0, degree: 0 });
        return nodes.get(name);
      };
      if (this.centre !== null) node(this.centre);
      for (const row of rows) {
        const from = node(text(source, row)), to = node(text(target, row));
        const way = sign ? text(sign, row) : "";
        const name = `${from.place} ${to.place} ${way}`;
        if (!arrows.has(name)) {
          arrows.set(name, { from, to, way, count: 0 });
          from.degree++;
          to.degree++;
        }
        arrows.get(name).count++;
      }
      this.nodes = [...nodes.values()];
      this.arrows = [...arrows.values()];
    }

    // Springs along edges, repulsion between all genes, from a spiral: always the same picture
    layout() {
      const n = this.nodes.length, ideal = 70;
      this.nodes.forEach((node, place) => {
        const radius = place && ideal * Math.sqrt(place), angle = 2.4 * place;
        node.x = radius * Math.cos(angle);
        node.y = radius * Math.sin(angle);
      });
      const dx = new Float64Array(n), dy = new Float64Array(n);
      for (let step = 0, heat = 30; step < 250; step++, heat *= 0.98) {
        dx.fill(0);
        dy.fill(0);
        for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) {
          const a = this.nodes[i], b = this.nodes[j];
          const x = a.x - b.x, y = a.y - b.y, push = ideal * ideal / (x * x + y * y + 1);
          dx[i] += x * push; dy[i] += y * push;
          dx[j] -= x * push; dy[j] -= y * push;
        }
        for (const { from, to } of this.arrows) {
          const x = to.x - from.x, y = to.y - from.y, pull = Math.hypot(x, y) / ideal / 2;
          dx[from.place] += x * pull; dy[from.place] += y * pull;
          dx[to.place] -= x * pull; dy[to.place] -= y * pull;
        }
        this.nodes.forEach((node, i) => {
          dx[i] -= 0.3 * node.x;
          dy[i] -= 0.3 * node.y;
          const size = Math.hypot(dx[i], dy[i]) || 1, move = Math.min(size, heat) / size;
          if (node.name === this.centre) return;
          node.x += dx[i] * move;
          node.y += dy[i] * move;
        });
      }
    }

    build() {
      for (const arrow of this.arrows) {
        const kind = { "+": "up", [MINUS]: "down" }[arrow.way] ?? "";
        arrow.path = svg("path", { class: `arrow ${kind}`, "stroke-width": Math.min(4, 0.75 + 0.5 * arrow.count) });
      }
      for (const node of this.nodes) {
        const kind = node.name === this.centre ? "centre" : isRegulator.has(node.name) ? "regulator" : "";
        node.radius = node.name === this.centre ? 9 : isRegulator.has(node.name) ? 7 : 5;
        node.circle = svg(isRegulator.has(node.name) ? "rect" : "circle", { class: kind });
        node.label = svg("text", { class: kind, dy: "0.35em" }, node.name.length > 18 ? `${node.name.slice(0, 17)}…` : node.name);
        node.link = svg("a", {
          href: link(node.name), class: "node", "aria-label": node.name,
          tabindex: isRegulator.has(node.name) ? 0 : -1,
        }, svg("title", {}, node.name), node.circle, node.label);
      }
      this.view = svg("svg", {
        class: "graph", tabindex: "0", role: "group",
        "aria-label": `Network of ${counted(this.nodes.length, "gene")} and ` +
          `${counted(this.arrows.length, "edge")}; the tables have the same edges. ` +
          "Arrow keys move it, plus and minus zoom, 0 shows all.",
      }, ...this.arrows.map((arrow) => arrow.path), ...this.nodes.map((node) => node.link));
      const zoom = (label, symbol, act) =>
        html("button", { type: "button", "aria-label": label, onclick: act }, symbol);
      const middle = () => [this.view.clientWidth / 2, this.view.clientHeight / 2];
      this.host.replaceChildren(this.view, html("div", { class: "zoom" },
        zoom("Zoom in", "+", () => this.zoom(1.3, ...middle())),
        zoom("Zoom out", MINUS, () => this.zoom(1 / 1.3, ...middle())),
        zoom("Show all", "⤢", () => this.fit())));
      this.listen();
    }

    fit() {
      const wide = this.view.clientWidth || 600, high = this.view.clientHeight || 400;
      const ends = (values) => [Math.min(...values), Math.max(...values)];
      const [x1, x2] = ends(this.nodes.map((node) => node.x));
      const [y1, y2] = ends(this.nodes.map((node) => node.y));
      const label = 90; // room for the name of the gene at the right end
      this.scale = Math.min(
        (wide - label - 30) / Math.max(1, x2 - x1), (high - 40) / Math.max(1, y2 - y1), 2.5);
      this.left = (wide - label + 20) / 2 - this.scale * (x1 + x2) / 2;
      this.top = high / 2 - this.scale * (y1 + y2) / 2;
      this.touched = false;
      this.place();
    }

    zoom(factor, x, y) {
      const scale = Math.min(20, Math.max(0.05, this.scale * factor));
      this.left = x - (x - this.left) * scale / this.scale;
      this.top = y - (y - this.top) * scale / this.scale;
      this.scale = scale;
      this.touched = true;
      this.place();
    }

    move(x, y) {
      this.left += x;
      this.top += y;
      this.touched = true;
      this.place();
    }

    place() {
      const at = (node) => [this.left + this.scale * node.x, this.top + this.scale * node.y];
      for (const { from, to, way, path } of this.arrows) {
        const [x1, y1] = at(from), [x2, y2] = at(to), size = Math.hypot(x2 - x1, y2 - y1);
        const far = Math.max(size, 1), u = (x2 - x1) / far, v = (y2 - y1) / far, gap = to.radius + 3;
        const x = x2 - gap * u, y = y2 - gap * v;
        const ends = way === MINUS // a bar across, else an arrow head
          ? [[x - 5 * v, y + 5 * u], [x + 5 * v, y - 5 * u]]
          : [[x - 6 * u - 4 * v, y - 6 * v + 4 * u], [x, y], [x - 6 * u + 4 * v, y - 6 * v - 4 * u]];
        const head = ends.map(([a, b], i) => `${i ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`);
        path.setAttribute("d", size < gap + 2 ? "" :
          `M${x1.toFixed(1)} ${y1.toFixed(1)}L${x.toFixed(1)} ${y.toFixed(1)}${head.join("")}`);
      }
      // Labels that would lie on a more connected gene's label are left out until there is room.
      const taken = [];
      const first = this.nodes.slice().sort((a, b) =>
        (b.name === this.centre) - (a.name === this.centre) || b.degree - a.degree || a.place - b.place);
      for (const node of first) {
        const [x, y] = at(node), r = node.radius;
        if (node.circle.tagName === "rect")
          fill(node.circle, { x: x - r, y: y - r, width: 2 * r, height: 2 * r, rx: 2 }, []);
        else fill(node.circle, { cx: x, cy: y, r }, []);
        fill(node.label, { x: x + r + 3, y }, []);
        const box = [x + r, y - 7, x + r + 6 + 7.2 * node.label.textContent.length, y + 7];
        const free = taken.every((one) => box[0] > one[2] || box[2] < one[0] || box[1] > one[3] || box[3] < one[1]);
        node.label.toggleAttribute("hidden", !free);
        if (free) taken.push(box);
      }
    }

    listen() {
      const pointers = new Map();
      let held = null, moved = 0;
      const local = (event) => {
        const box = this.view.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
      };
      this.view.addEventListener("pointerdown", (event) => {
        pointers.set(event.pointerId, local(event));
        held = pointers.size > 1 ? null : this.nodes.find((node) => node.link.contains(event.target)) ?? null;
        if (pointers.size === 1) moved = 0;
      });
      this.view.addEventListener("pointermove", (event) => {
        const before = pointers.get(event.pointerId);
        if (!before) return;
        const now = local(event), x = now[0] - before[0], y = now[1] - before[1];
        moved += Math.abs(x) + Math.abs(y);
        if (moved > 4 && !this.view.hasPointerCapture(event.pointerId))
          this.view.setPointerCapture(event.pointerId);
        if (pointers.size === 2) {
          const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
          const span = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]) || 1;
          this.zoom(span(now) / span(before), ...other);
        } else if (held) {
          held.x += x / this.scale;
          held.y += y / this.scale;
          this.touched = true;
          this.place();
        } else {
          this.move(x, y);
        }
        pointers.set(event.pointerId, now);
      });
      for (const end of ["pointerup", "pointercancel"])
        this.view.addEventListener(end, (event) => { pointers.delete(event.pointerId); held = null; });
      this.view.addEventListener("pointerleave", (event) => {
        if (!this.view.hasPointerCapture(event.pointerId)) pointers.delete(event.pointerId);
      });
      this.view.addEventListener("dragstart", (event) => event.preventDefault());
      this.view.addEventListener("click", (event) => { if (moved > 4) event.preventDefault(); }, true);
      this.view.addEventListener("wheel", (event) => {
        // A wheel without Ctrl scrolls the page, unless the view was chosen by a click or Tab.
        if (!event.ctrlKey && !event.metaKey && document.activeElement !== this.view) return;
        event.preventDefault();
        this.zoom(Math.exp(-0.002 * event.deltaY), ...local(event));
      }, { passive: false });
      this.view.addEventListener("keydown", (event) => {
        if (event.target !== this.view || event.ctrlKey || event.metaKey || event.altKey) return;
        const middle = [this.view.clientWidth / 2, this.view.clientHeight / 2];
        const act = {
          ArrowLeft: () => this.move(40, 0), ArrowRight: () => this.move(-40, 0),
          ArrowUp: () => this.move(0, 40), ArrowDown: () => this.move(0, -40),
          "+": () => this.zoom(1.3, ...middle), "=": () => this.zoom(1.3, ...middle),
          "-": () => this.zoom(1 / 1.3, ...middle), 0: () => this.fit(),
        }[event.key];
        if (act) { event.preventDefault(); act(); }
      });
    }
  }

  // A network view with a choice of its size, and of the group if there are several networks
  function explorer(host, choose, centre = null) {
    const room = html("div", { class: "room" });
    const few = innerWidth < 600 ? 15 : 30;
    const size = html("select", {}, ...[few, 60, 120].map((n) => html("option", { value: n }, `${n}`)));
    const group = html("select", {}, html("option", { value: -1 }, "all groups"),
      ...(groups?.labels ?? []).map((name, code) => html("option", { value: code }, name)));
    const draw = () => {
      const code = +group.value;
      const inside = (row) => code < 0 || groups.codes[row] === code;
      new Graph(room, choose(+size.value, inside), centre);
    };
    for (const one of [size, group]) one.addEventListener("change", draw);
    const choices = [html("label", {}, "Edges shown, at most ", size)];
    if (groups) choices.push(html("label", {}, "Network ", group));
    host.replaceChildren(html("div", { class: "tools" }, ...choices), room,
      html("p", { class: "note" }, "Squares are regulators. ",
        html("span", { class: "up" }, "Arrows"), " activate, ",
        html("span", { class: "down" }, "bars"), " repress. Drag a gene or the background; pinch, " +
        "use the buttons, or the wheel with Ctrl to zoom. Select a gene to open it."));
    draw();
  }

  // The strongest edges of a gene, with the edges between its neighbours
  function around(name) {
    const own = strongest(Int32Array.from([...regulonOf(name), ...regulatorsOf(name)]));
    return (most, inside) => {
      const rows = Array.from(own).filter(inside).slice(0, most);
      const near = new Set(rows.flatMap((row) => [text(source, row), text(target, row)]));
      const between = [...near].filter((one) => one !== name && isRegulator.has(one))
        .flatMap((one) => Array.from(strongest(regulonOf(one))))
        .filter((row) => text(target, row) !== name && near.has(text(target, row)) && inside(row));
      return [...rows, ...between.slice(0, most)];
    };
  }

  // --- panel of a gene -------------------------------------------------------------------------

  const panel = document.getElementById("gene");
  const panelBody = document.getElementById("gene-body");

  function facts(table, name, without = []) {
    const columns = page.tables[table];
    const row = columns ? columns[0].codes.indexOf(columns[0].labels.indexOf(name)) : -1;
    if (row < 0) return [];
    return columns.slice(1).filter((one) => !without.includes(one.title)).map((one) => html("div", {},
      html("dt", {}, one.title),
      html("dd", {}, coded(one) ? text(one, row) || "–" : shown(one, row))));
  }

  function section(title, build) {
    const host = html("div");
    panelBody.append(html("section", {}, html("h3", {}, title), host));
    build(host);
  }

  // Targets in rows, networks in columns: support (or the best measure), negative if repressed
  function sideBySide(rows) {
    const measure = ["support", "MI", "likelihood", "weight"].map((t) => column("edges", t)).find(Boolean);
    const places = new Map();
    for (const row of rows) if (!places.has(target.codes[row])) places.set(target.codes[row], places.size);
    const codes = [...places.keys()];
    const values = groups.labels.map(() => new Array(codes.length).fill(null));
    const found = new Array(codes.length).fill(0);
    for (const row of rows) {
      const place = places.get(target.codes[row]), size = measure ? measure.values[row] : 1;
      values[groups.codes[row]][place] = sign && text(sign, row) === MINUS ? -size : size;
      found[place]++;
    }
    const help = `${measure ? measure.title : "1"} of the edge in this network, negative if it represses.`;
    return [
      { title: "target", kind: "gene", labels: target.labels, codes },
      { title: "networks", kind: "number", help: "Networks that have the edge.", values: found },
      ...groups.labels.map((title, code) => ({ title, kind: "number", help, values: values[code] })),
    ];
  }

  function open(name) {
    document.getElementById("gene-title").textContent = name;
    panelBody.replaceChildren();
    const known = facts("regulators", name, ["strongest targets"]);
    if (known.length) panelBody.append(html("dl", {}, ...known));
    const activities = page.tables.activities;
    if (activities) {
      const code = activities[0].labels.indexOf(name);
      const rows = Int32Array.from(activities[0].codes.keys()).filter((row) => activities[0].codes[row] === code);
      if (rows.length) {
        const by = column("activities", "group") ? `Activity by ${page.groupby}` : "Activity";
        section(by, (host) => new Table(host, `activity of ${name}`, activities.slice(1), rows, true));
      }
    }
    const master = facts("masters", name);
    if (master.length) section(page.masters, (host) => host.append(html("dl", {}, ...master)));
    const targets = regulonOf(name), regulators = regulatorsOf(name);
    if (targets.length + regulators.length)
      section("Neighbours", (host) => explorer(host, around(name), name));
    const without = (title) => edges.filter((one) => one.title !== title);
    if (targets.length && groups && groups.labels.length > 1)
      section("Targets, networks side by side", (host) =>
        new Table(host, `targets of ${name} by network`, sideBySide(targets), null, true));
    if (targets.length)
      section("Targets", (host) =>
        new Table(host, `targets of ${name}`, without("regulator"), strongest(targets), true));
    if (regulators.length)
      section("Regulators of this gene", (host) =>
        new Table(host, `regulators of ${name}`, without("target"), strongest(regulators), true));
    if (!panelBody.children.length)
      panelBody.append(html("p", {}, "No results of this report are about this name."));
    if (!panel.open) panel.showModal();
    panel.scrollTop = 0;
    document.getElementById("gene-title").focus();
  }

  function follow() {
    const [, name] = /^#gene=(.+)$/.exec(location.hash) ?? [];
    if (name !== undefined) open(decodeURIComponent(name));
    else if (panel.open) panel.close();
  }
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const anchor = event.target.closest?.("a");
    const to = anchor?.getAttribute("href");
    if (to?.startsWith("#gene=") && to === location.hash && !event.defaultPrevented) follow();
  });
  panel.addEventListener("close", () => {
    try {
      history.replaceState(null, "", "#");
    } catch { /* a frame without an address: the hash stays */ }
  });
  document.getElementById("gene-close").addEventListener("click", () => panel.close());
  panel.addEventListener("click", (event) => { if (event.target === panel) panel.close(); });

  // --- the page --------------------------------------------------------------------------------

  for (const host of document.querySelectorAll("[data-table]")) {
    const name = host.dataset.table;
    new Table(host, host.dataset.name, page.tables[name]);
  }
  const overview = document.getElementById("overview-network");
  if (overview && edges && edges[0].codes.length) {
    const all = strongest(Int32Array.from(source.codes.keys()));
    explorer(overview, (most, inside) => Array.from(all).filter(inside).slice(0, most));
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
    });
  }
  follow();
})();
