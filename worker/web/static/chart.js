// Draws the values over time, one strip for each test on a common time axis (uPlot). Hover or arrow keys read the
// values. Without this script the table below stands open and says it all.
"use strict";
(() => {
  const holder = document.getElementById("plots"), source = document.getElementById("chart-data");
  if (!holder || !source || typeof uPlot === "undefined") return;
  const { panels, bars, from, to, locale, thousands } = JSON.parse(source.textContent);
  const said = document.getElementById("said");
  const legend = document.getElementById("legend");
  legend.hidden = false; said.hidden = false; document.getElementById("chart-table").open = false;
  said.textContent = "Point at the chart, or focus it and use the arrow keys, to read a value.";

  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const ratio = () => window.devicePixelRatio || 1;
  const font = () => `${12 * ratio()}px system-ui, "Liberation Sans", sans-serif`;
  const site = { timeZone: "UTC", calendar: "gregory", numberingSystem: "latn" };
  const short = new Intl.DateTimeFormat(locale, { month: "short", year: "2-digit", ...site });
  const shorter = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", ...site });

  function limits(plot, panel) {
    const { ctx, bbox } = plot;
    ctx.save(); ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
    const y = (value) => plot.valToPos(value, "y", true);
    const low = panel.low === null ? bbox.top + bbox.height : y(panel.low);
    const high = panel.high === null ? bbox.top : y(panel.high);
    if (panel.low !== null || panel.high !== null) {
      ctx.fillStyle = token("--band"); ctx.fillRect(bbox.left, high, bbox.width, low - high);
    }
    ctx.strokeStyle = token("--limit"); ctx.fillStyle = token("--limit"); ctx.lineWidth = 1.5 * ratio();
    ctx.setLineDash([6 * ratio(), 4 * ratio()]); ctx.font = font(); ctx.textAlign = "right"; ctx.textBaseline = "alphabetic";
    for (const line of panel.lines) {
      const at = Math.round(y(line.y)) + .5;
      ctx.beginPath(); ctx.moveTo(bbox.left, at); ctx.lineTo(bbox.left + bbox.width, at); ctx.stroke();
      ctx.fillText(line.label, bbox.left + bbox.width - 4 * ratio(), at - 4 * ratio());
    }
    ctx.restore();
  }

  function dots(plot, panel) {
    const { ctx, bbox } = plot;
    ctx.save();
    for (const point of panel.points) {
      const x = plot.valToPos(point.t, "x", true), y = plot.valToPos(point.y, "y", true), size = 4.5 * ratio();
      ctx.beginPath(); ctx.arc(x, y, size, 0, 7);
      ctx.lineWidth = 2 * ratio(); ctx.strokeStyle = point.gone ? token("--soft") : token("--series");
      ctx.fillStyle = point.gone || !point.decisive ? token("--paper") : token("--series");
      ctx.fill(); ctx.stroke();
      if (point.gone) {
        ctx.beginPath(); ctx.moveTo(x - 2 * size, y + 2 * size); ctx.lineTo(x + 2 * size, y - 2 * size); ctx.stroke();
      }
      if (point.toward) {  // a censored value: the true one lies this way
        const way = point.toward === "up" ? -1 : 1;
        ctx.beginPath(); ctx.moveTo(x, y + way * size); ctx.lineTo(x, y + way * 3.4 * size);
        ctx.moveTo(x - size, y + way * 2.4 * size); ctx.lineTo(x, y + way * 3.4 * size); ctx.lineTo(x + size, y + way * 2.4 * size);
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  function axes(panel, last) {
    return [
      { show: last, stroke: () => token("--soft"), font: "12px system-ui, sans-serif", size: last ? 30 : 0, space: 70,
        grid: { stroke: () => token("--line"), width: 1 }, ticks: { show: false },
        values: (_, splits) => splits.map((at) => (to - from > 200 * 86400 ? short : shorter).format(new Date(at * 1000))) },
      { stroke: () => token("--soft"), font: "12px system-ui, sans-serif", size: 56, space: 26,
        grid: { stroke: () => token("--line"), width: 1 }, ticks: { show: false },
        values: (_, splits) => splits.map((at) => at.toLocaleString("en").replaceAll(",", thousands)) },
    ];
  }

  function spread(panel) {
    const all = panel.points.map((p) => p.y).concat(panel.lines.map((line) => line.y));
    const reach = Math.max(...all) - Math.min(...all);
    for (const edge of [panel.low, panel.high]) {  // the laboratory's own limits, where they do not flatten the curve
      if (edge === null) continue;
      const wider = Math.max(edge, ...all) - Math.min(edge, ...all);
      if (reach === 0 || wider < 2 * reach) all.push(edge);
    }
    const low = Math.min(...all), high = Math.max(...all), room = (high - low || Math.abs(high) || 1) * .18;
    return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
  }

  let plots = [], current = { panel: 0, point: -1 };

  function say(index, at) {
    const panel = panels[index], point = panel.points[at];
    current = { panel: index, point: at };
    panels.forEach((_, i) => { if (i !== index) reads[i].textContent = ""; });
    reads[index].textContent = `${point.text} · ${point.taken}`;
    said.textContent = `${panel.name} ${point.text}, taken ${point.taken}${point.note ? ` (${point.note})` : ""}`;
  }

  const reads = [];
  function strip(panel, index, width) {
    const last = index === panels.length - 1 && !bars.length;
    const kept = panel.points.filter((p) => !p.gone);
    const options = {
      width, height: (last ? 150 : 122), padding: [10, 12, last ? 0 : 6, 0],
      scales: { x: { time: true, range: [from, to] }, y: { range: spread(panel) } },
      axes: axes(panel, last), legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, points: { show: false } },
      series: [{}, { stroke: () => token("--series"), width: 1.5, points: { show: false }, spanGaps: true }],
      hooks: {
        drawClear: [(plot) => limits(plot, panel)], draw: [(plot) => dots(plot, panel)],
        setCursor: [(plot) => {
          if (plot.cursor.left < 0) return;
          let best = -1, gap = 24;
          panel.points.forEach((p, i) => {
            const away = Math.abs(plot.valToPos(p.t, "x") - plot.cursor.left);
            if (away < gap) { gap = away; best = i; }
          });
          if (best >= 0) say(index, best);
        }],
      },
    };
    const place = document.createElement("div");
    place.className = "canvas"; place.setAttribute("aria-hidden", "true");
    frames[index].append(place);
    return new uPlot(options, [kept.map((p) => p.t), kept.map((p) => p.y)], place);
  }

  function treatments(width) {
    if (!bars.length) return null;
    const place = document.createElement("div");
    place.className = "canvas"; place.setAttribute("aria-hidden", "true");
    lane.append(place);
    const height = 20 + bars.length * 24 + 12;
    return new uPlot({
      width, height, padding: [2, 12, 0, 0], legend: { show: false }, cursor: { show: false },
      scales: { x: { time: true, range: [from, to] }, y: { range: [0, 1] } },
      axes: [axes(panels[0], true)[0], { size: 56, values: () => [], grid: { show: false }, ticks: { show: false } }],
      series: [{}, { show: false }],
      hooks: { draw: [(plot) => {
        const { ctx, bbox } = plot, row = 24 * ratio();
        ctx.save(); ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip(); ctx.font = font();
        bars.forEach((bar, i) => {
          const a = plot.valToPos(Math.max(bar.from, from), "x", true), b = plot.valToPos(Math.min(bar.to, to), "x", true);
          const top = bbox.top + i * row;
          ctx.fillStyle = token("--treatment"); ctx.fillRect(a, top + 16 * ratio(), Math.max(b - a, 3 * ratio()), 5 * ratio());
          ctx.fillStyle = token("--ink"); ctx.textAlign = "left"; ctx.textBaseline = "alphabetic"; const wide = ctx.measureText(bar.label).width;
          ctx.fillText(bar.label, Math.max(bbox.left, Math.min(a, bbox.left + bbox.width - wide)), top + 12 * ratio());
        });
        ctx.restore();
      }] },
    }, [[from, to], [null, null]], place);
  }

  function step(index, event) {
    const points = panels[index].points;
    const at = current.panel === index ? current.point : -1;
    const to = { ArrowRight: at + 1, ArrowLeft: at < 0 ? points.length - 1 : at - 1, Home: 0, End: points.length - 1 }[event.key];
    if (to === undefined || !points.length) return;
    event.preventDefault();
    const held = Math.max(0, Math.min(points.length - 1, to)), point = points[held], plot = plots[index];
    plot.setCursor({ left: plot.valToPos(point.t, "x"), top: plot.valToPos(point.y, "y") });
    say(index, held);
  }

  const frames = panels.map((panel, index) => {
    const frame = document.createElement("div"), title = document.createElement("h3"), read = document.createElement("span");
    frame.className = "plot"; frame.tabIndex = 0; frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", `${panel.name}, ${panel.points.length} values in ${panel.unit}; arrow keys read them`);
    title.textContent = panel.name; read.className = "read"; reads.push(read);
    const unit = document.createElement("span"); unit.className = "soft"; unit.textContent = panel.unit;
    title.append(unit, read); frame.append(title); holder.append(frame);
    frame.addEventListener("keydown", (event) => step(index, event));
    return frame;
  });
  const lane = document.createElement("div");
  if (bars.length) holder.append(lane);

  function draw() {
    plots.forEach((plot) => plot.destroy());
    document.querySelectorAll(".plots .canvas").forEach((place) => place.remove());
    const width = Math.max(200, holder.clientWidth);
    plots = panels.map((panel, index) => strip(panel, index, width));
    const under = treatments(width);
    if (under) plots.push(under);
  }
  draw();
  let pending = 0, was = holder.clientWidth;
  new ResizeObserver(() => {
    if (holder.clientWidth === was) return;
    was = holder.clientWidth; cancelAnimationFrame(pending); pending = requestAnimationFrame(draw);
  }).observe(holder);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("beforeprint", draw);
  addEventListener("afterprint", draw);
})();
