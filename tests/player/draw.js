"use strict";

// Each function draws one region as HTML, from a row alone: what stands there does not depend on
// where one came from, so that stepping back shows the same picture again. A `view` is one side of
// a row: the recording, the step, and `before`, the state before this row (the same, where this
// side does not move in it).

const SOURCE_LINES = 9; // odd: the current one is in the middle
const CALLS_SHOWN = 24;
const KEYWORDS = "auto bool break case class const constexpr continue default do else enum false "
  .concat("for if inline int namespace noexcept nullptr operator private public return static ")
  .concat("struct switch this true using void while").replaceAll(" ", "|");
const TOKENS = new RegExp([
  /(?<comment>\/\/.*)/, /(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|<[\w/.]+>$)/,
  RegExp(`(?<keyword>\\b(?:${KEYWORDS})\\b|^\\s*#\\w+)`), /(?<number>\b\d[\w']*)/]
  .map((each) => each.source).join("|"), "g");

const number = (value) => value.toLocaleString(language === "zh" ? "zh-CN" : "en-GB");

/** A client has its colour everywhere. */
function who(name) {
  const client = /^c(\d)$/.exec(name);
  return `<b class="who${client ? ` who-${client[1]}` : ""}">${esc(name)}</b>`;
}

/** Entries of a list of the state, each with what became of it in this row. */
function compared(view, key) {
  const now = view.step.state[key] ?? [], before = view.before[key] ?? [];
  const withIds = (list) => {
    const seen = {};
    return list.map((each) => {
      seen[each.who] = (seen[each.who] ?? 0) + 1;
      return [`${each.who} ${seen[each.who]}`, each];
    });
  };
  const old = new Map(withIds(before));
  const entries = withIds(now).map(([id, each]) => {
    const was = old.get(id);
    old.delete(id);
    const same = was && JSON.stringify(was) === JSON.stringify(each);
    return { ...each, was, how: same ? "" : was ? "changed" : "new" };
  });
  return [...entries, ...[...old.values()].map((each) => ({ ...each, was: each, how: "gone" }))];
}

function heading(view, key, title) {
  const derived = view.step.state.derived?.includes(key)
    ? ` <small class="derived" title="${esc(t("derived-why"))}">${esc(t("derived"))}</small>` : "";
  const parted = view.parted.includes(key)
    ? ` <small class="parted" title="${esc(t("parted-why"))}">≠</small>` : "";
  const why = contents.texts[language][`${title}-why`];
  return `<h4${why ? ` title="${esc(why)}"` : ""}>${esc(t(title))}${derived}${parted}</h4>`;
}

const nothing = () => `<span class="none">${esc(t("none"))}</span>`;

// ---- kernel -------------------------------------------------------------------------------------

function drawTree(view) {
  const leaves = compared(view, "tree").map((leaf) => {
    const bits = leaf.events.map((bit) => `<span class="bit">${esc(bit)}</span>`).join("");
    const callback = leaf.callback ? `<span class="callback">${esc(leaf.callback)}</span>` : "";
    return `<li class="${leaf.how}">${who(leaf.who)} ${bits} ${callback}</li>`;
  });
  return `${heading(view, "tree", "tree")}<ul class="tree">${leaves.join("") || nothing()}</ul>`;
}

function drawReady(view) {
  const chips = compared(view, "ready").map((each) =>
    `<li class="chip ${each.how}">${who(each.who)} ${esc(each.events.join("|"))}</li>`);
  return `${heading(view, "ready", "ready")}<ul class="ready">${chips.join("") || nothing()}</ul>`;
}

/** Bytes on a logarithmic scale: a request of 34 is to be seen beside a mebibyte. */
function bar(bytes, most, how = "") {
  const width = bytes ? Math.max(4, 100 * Math.log2(1 + bytes) / Math.log2(1 + most)) : 0;
  return `<span class="bytes ${how}"><span class="bar"><i style="width:${width.toFixed(1)}%"></i>`
    + `</span><span class="count">${number(bytes)}</span></span>`;
}

function drawBars(view, key, fields) {
  const rows = compared(view, key).map((each) => {
    const cells = fields.map(([field, direction]) =>
      `<td class="${each.was?.[field] === each[field] ? "" : "moved"}">`
      + `${bar(each[field] ?? 0, view.most, direction)}</td>`);
    return `<tr class="${each.how}"><th scope="row">${who(each.who)}</th>${cells.join("")}</tr>`;
  });
  const heads = fields.map(([, , title]) => `<th scope="col">${esc(t(title))}</th>`).join("");
  return `${heading(view, key, key)}<table class="bars"><thead><tr><td></td>${heads}</tr></thead>`
    + `<tbody>${rows.join("")
      || `<tr><td colspan="${fields.length + 1}">${nothing()}</td></tr>`}</tbody></table>`;
}

const drawSockets = (view) => drawBars(view, "sockets", [
  ["in", "right", "to-server"], ["out", "left", "to-client"], ["unread", "left", "at-client"]]);

// ---- process ------------------------------------------------------------------------------------

function coloured(line) {
  let at = 0, html = "";
  for (const match of line.matchAll(TOKENS)) {
    const [kind] = Object.entries(match.groups).find(([, text]) => text !== undefined);
    html += `${esc(line.slice(at, match.index))}<i class="${kind}">${esc(match[0])}</i>`;
    at = match.index + match[0].length;
  }
  return html + esc(line.slice(at));
}

function drawSource(view) {
  const { step, sources } = view;
  if (!step.where) return `<pre class="source">${esc(t("before-main"))}</pre>`;
  const crumbs = step.stack.map((each) => `<li>${esc(each.name)}</li>`).join("");
  const text = sources.get(step.where.file) ?? [];
  const most = Math.max(0, text.length - SOURCE_LINES);
  const first = Math.min(Math.max(0, step.line - 1 - Math.floor(SOURCE_LINES / 2)), most);
  const lines = text.slice(first, first + SOURCE_LINES).map((line, at) => {
    const here = first + at + 1 === step.line;
    return `<span class="line${here ? " here" : ""}"${here ? ' aria-current="true"' : ""}>`
      + `<span class="n">${first + at + 1}</span>${coloured(line) || " "}</span>`;
  });
  return `<div class="file">${esc(step.where.file)}:${step.line}</div>`
    + `<ol class="crumbs" aria-label="${esc(t("stack"))}">${crumbs}</ol>`
    + `<pre class="source" tabindex="0" aria-label="${esc(t("source"))}">${lines.join("")}</pre>`;
}

/** A row for each connection; where libevent has buffers for it, they stand in the same row. */
function drawConnections(view) {
  const buffers = view.recording.has.has("bufs") ? ["input", "output"] : [];
  const held = new Map(compared(view, "bufs").map((each) => [each.who, each]));
  const rows = compared(view, "conns").map((each) => {
    const cell = (now, field, html) =>
      `<td class="${now?.was?.[field] === now?.[field] ? "" : "moved"}">${html}</td>`;
    const clock = each.ends ? t("clock", { list: word("list", each.list), ends: each.ends })
      : word("list", each.list);
    const buffer = held.get(each.who);
    const bars = buffers.map((field) =>
      cell(buffer, field, bar(buffer?.[field] ?? 0, view.most, field === "input" ? "" : "left")));
    return `<tr class="${each.how}"><th scope="row">${who(each.who)}</th>`
      + cell(each, "state", esc(word("state", each.state)))
      + cell(each, "owed", bar(each.owed, view.most, "left"))
      + `${bars.join("")}${cell(each, "list", esc(clock))}</tr>`;
  });
  const heads = ["state", "owed", ...buffers, "clock-head"]
    .map((key) => `<th scope="col">${esc(t(key))}</th>`);
  return `<table class="conns"><thead><tr><th scope="col">${heading(view, "conns", "conns")}</th>`
    + `${heads.join("")}</tr></thead><tbody>${rows.join("")
      || `<tr><td colspan="${heads.length + 1}">${nothing()}</td></tr>`}</tbody></table>`;
}

/** A word of the recording's own: translated where the table has it. */
const word = (kind, value) => contents.texts[language][`${kind}-${value}`] ?? value ?? "";

function drawEvents(view) {
  if (!view.recording.has.has("events")) return "";
  const items = compared(view, "events").map((each) => `<li class="${each.how}">${who(each.who)} `
    + `<code>${esc(each.what.replaceAll("EV_", ""))}</code> `
    + `<span class="status ${esc(each.status)}">${esc(word("status", each.status))}</span></li>`);
  return `${heading(view, "events", "events")}`
    + `<ul class="events">${items.join("") || nothing()}</ul>`;
}

// ---- calls --------------------------------------------------------------------------------------

const callHtml = (call) => `<code>${esc(callText(call))}${
  call.data ? ` <i class="string">${esc(call.data)}</i>` : ""}</code>`;

function drawCalls(view) {
  const { calls, rows, client } = view;
  let heading = null, html = "";
  for (const step of calls.slice(-CALLS_SHOWN)) {
    if (step.client !== heading) {
      heading = step.client;
      html += `<li class="part">${esc(translated(client[heading]?.text ?? t("start")))}</li>`;
    }
    const { mark } = rows[step.index];
    const last = step === calls.at(-1) && view.moved && step === view.step;
    html += `<li class="${last ? "last" : ""}${mark === " " ? "" : " odd"}">`
      + `<span class="mark">${esc(mark)}</span>${callHtml(step.call)}`
      + `<span class="gloss">${esc(translated(step.call.gloss))}</span></li>`;
  }
  const hidden = Math.max(0, calls.length - CALLS_SHOWN);
  const before = hidden
    ? `<li class="part">${esc(t("hidden", { count: number(hidden) }))}</li>` : "";
  return `<h3>${esc(t("calls"))}</h3><p class="per-request">${drawCount(view)}</p>`
    + `<div class="calls" tabindex="0"><ol aria-label="${esc(t("calls"))}">`
    + `${before}${html || `<li>${nothing()}</li>`}</ol></div>`;
}

const requestsIn = (client) => client.reduce((sum, step) => sum + (step.requests ?? 0), 0);

/** Calls since a client last sent something, by name, and the mean of the requests before: of the
 * calls in the steps in which a client sends, as `make diff` counts. The client's step that is
 * under way does not count yet. */
function drawCount({ calls, client, step, recording }) {
  const sends = (at) => Boolean(client[at]?.sends);
  let since = step.client;
  while (since >= 0 && !sends(since)) since--;
  if (since < 0) return esc(t("no-request"));
  const kinds = new Map();
  for (const { call } of calls.filter((each) => each.client >= since)) {
    kinds.set(call.name, (kinds.get(call.name) ?? 0) + 1);
  }
  const count = [...kinds.values()].reduce((sum, each) => sum + each, 0);
  const list = [...kinds].sort().map(([name, times]) => `${name} ${times}`).join(", ");
  const requests = requestsIn(client.slice(0, step.client));
  const counted = calls.filter((each) => each.client < step.client && sends(each.client)).length;
  const mean = requests && !recording.oneRun
    ? `<b>${esc(t("mean", { mean: (counted / requests).toFixed(2), requests }))}</b> ` : "";
  return `${mean}${list ? `<code>${esc(list)}</code> ` : ""}`
    + esc(t("since", { step: translated(client[since].text), count: number(count) }));
}

// ---- what happens now ---------------------------------------------------------------------------

/** As a sentence, for the head of the column and for who listens instead of looking. */
function happening({ step, client }) {
  if (step.call) {
    const gloss = translated(step.call.gloss);
    return `${callText(step.call)}${gloss ? ` – ${gloss}` : ""}`;
  }
  if (step.kind === "enter") return t("enters", { name: step.where.name });
  return t("client-did", { step: translated(client[step.client]?.text ?? "") });
}

function drawNow(view) {
  const { step, client, moved, mark } = view;
  const kind = `<span class="kind ${step.kind}">${esc(t(`kind-${step.kind}`))}</span>`;
  const marked = moved && mark !== " "
    ? `<span class="mark" title="${esc(t(`mark-${mark}`))}">${esc(mark)}</span>` : "";
  if (!moved) {
    return `<span class="kind">${esc(t("stays"))}</span><small>${esc(t("stays-why"))}</small>`;
  }
  if (!step.call) {
    return `${kind}${marked}<span class="what">${esc(happening({ step, client }))}</span>`;
  }
  return `${kind}${marked}<span class="what">${callHtml(step.call)}</span>`
    + `<small>${esc(translated(step.call.gloss))}</small>`;
}

// ---- the clients' lane --------------------------------------------------------------------------

const GLYPHS = [ // of a client's step: what it is, by its text
  [/ connects to /, "●"], [/ sends /, "▶"], [/ receives nothing/, "○"], [/ receives /, "◀"],
  [/ half-closes/, "◐"], [/ is closed$/, "□"], [/ closes$/, "■"], [/ resets$/, "✖"],
  [/ gets SIG/, "⚡"], [/^server exits/, "■"]];
const glyphOf = ({ text }) => GLYPHS.find(([pattern]) => pattern.test(text))?.[1] ?? "·";

const place = (row, count) => `${(100 * row / Math.max(1, count - 1)).toFixed(2)}%`;

/** A line per client over the scrubber; drawn once for two recordings. */
function drawLanes(client, rows, starts) {
  const lanes = [...new Set(client.map((step) => step.who || "server"))].sort();
  const height = 1.5; // rem, of a lane; SVG takes percent along and rem down
  const lines = lanes.map((name, at) => {
    const y = `${(at + 0.5) * height}rem`;
    const marks = client.map((step, index) => [step, starts[index]])
      .filter(([step, row]) => (step.who || "server") === name && row !== undefined)
      .map(([step, row]) => `<text x="${place(row, rows.length)}" y="${y}" data-row="${row}">`
        + `${glyphOf(step)}<title>${esc(translated(step.text))}</title></text>`);
    return `<g class="who${/^c\d$/.test(name) ? ` who-${name[1]}` : ""}">`
      + `<line x1="0" x2="100%" y1="${y}" y2="${y}"/>${marks.join("")}</g>`;
  });
  const ticks = rows.map((row, at) => (row.differs
    ? `<line class="tick" x1="${place(at, rows.length)}" x2="${place(at, rows.length)}" `
      + `y1="${lanes.length * height}rem" y2="${lanes.length * height + 0.4}rem"/>` : ""));
  const names = lanes.map((name) => who(word("lane", name))).join("");
  return { names, svg: lines.join("") + ticks.join(""), height: lanes.length * height + 0.4 };
}

function drawClient(client, at) {
  const step = client[at];
  if (!step) return `<p class="did">${esc(t("start"))}</p>`;
  const wire = [["sends", "▶"], ["gets", "◀"]]
    .filter(([key]) => step[key] && !step.text.includes(step[key]))
    .map(([key, arrow]) => `<span class="wire ${key}"><span>${arrow}</span>`
      + `<code>${esc(step[key])}</code></span>`);
  return `<p class="did"><span class="of">${at + 1}/${client.length}</span> `
    + `<span class="${/^c\d$/.test(step.who) ? `who who-${step.who[1]}` : ""}">`
    + `${esc(translated(step.text))}</span></p>${wire.join("")}`;
}
