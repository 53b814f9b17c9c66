"use strict";

// The page: what is chosen, where it stands, and what the keys do. No library: one list of rows and
// a dozen regions that are drawn anew at each step need none.

const $ = (id) => document.getElementById(id);
const SIDES = ["a", "b"];
const SIZES = ["100%", "125%", "150%"];

let chosen = { conv: "", a: "", b: "" };
let recordings = [], sources = [], calls = [[], []], stepRows = [[], []], rows = [], starts = [];
let most = 1;
let at = 0;
let playing = 0, writing = 0; // timers: of the next step, of the address
let question = null;
let asked = new Set();

// ---- choosing -----------------------------------------------------------------------------------

const conversationOf = (name) => contents.conversations.find((each) => each.name === name);

/** What the address asks for, and what is taken where that is not there. */
function wanted() {
  const asks = new URLSearchParams(location.hash.slice(1));
  const preferred = ["keepalive", "slow_reader"].find(conversationOf);
  const conv = asks.get("conv") ?? chosen.conv ?? "";
  const conversation = conversationOf(conv) ?? conversationOf(preferred)
    ?? contents.conversations[0];
  const { servers } = conversation;
  const [a, b] = SIDES.map((side, index) => {
    const name = asks.get(side) ?? chosen[side];
    return servers.includes(name) ? name : servers[Math.min(index, servers.length - 1)];
  });
  const missing = [["conv", conversation.name], ["a", a], ["b", b]]
    .filter(([key, taken]) => asks.has(key) && asks.get(key) !== taken)
    .map(([key]) => t("not-there", { what: asks.get(key) }));
  return { conv: conversation.name, a, b, position: asks.get("at") ?? "", missing };
}

function fillChoosers() {
  const option = (name, text, chosen) =>
    `<option value="${esc(name)}"${chosen ? " selected" : ""}>${esc(text)}</option>`;
  const options = (list, value) =>
    list.map(([name, text]) => option(name, text, name === value)).join("");
  $("conv").innerHTML = options(contents.conversations.map((each) =>
    [each.name, `${each.name}: ${titleOf(each)}`]), chosen.conv);
  for (const side of SIDES) {
    $(side).innerHTML = options(conversationOf(chosen.conv).servers.map((server) => {
      const { title, broken } = contents.servers[server];
      return [server, broken ? t("broken", { title }) : title];
    }), chosen[side]);
  }
}

async function load({ conv, a, b, position, missing = [] }) {
  stop();
  chosen = { conv, a, b };
  recordings = await Promise.all(SIDES.map((side) => recordingOf(conv, chosen[side])));
  sources = await Promise.all(recordings.map(sourcesOf));
  rows = align(...recordings);
  stepRows = recordings.map((recording, side) => {
    const found = [];
    for (const row of rows) if (row.moved[side]) found[row.done[side]] = row;
    return found;
  });
  calls = recordings.map(({ steps }) => steps.filter((step) => step.kind === "call"));
  starts = [];
  rows.forEach((row, index) => { starts[row.client] ??= index; });
  most = largest();
  asked = new Set();
  fillChoosers();
  prepare();
  const found = rowNamed(position);
  if (position && found < 0) missing.push(t("not-there", { what: position }));
  notice(missing);
  go(Math.max(0, found), true);
}

async function sourcesOf({ server, steps }) {
  const files = new Set(steps.map((step) => step.where?.file).filter(Boolean));
  return new Map(await Promise.all([...files].map(async (file) =>
    [file, await sourceOf(server, file)])));
}

const bytesIn = ({ sockets = [], conns = [], bufs = [] }) => [
  ...sockets.flatMap((each) => [each.in, each.out, each.unread ?? 0]),
  ...conns.map((each) => each.owed),
  ...bufs.flatMap((each) => [each.input, each.output])];

/** The most bytes anywhere: the whole length of a bar. */
const largest = () => Math.max(1, ...recordings.flatMap(({ steps }) =>
  steps.map(({ state }) => Math.max(0, ...bytesIn(state)))));

/** Characters of the longest call stack. */
const deepest = () => Math.max(...recordings.flatMap(({ steps }) => steps.map(({ stack }) =>
  stack.reduce((sum, each) => sum + each.name.length + 3, 0))));

/** Regions keep their height, so that nothing jumps while one steps. */
function prepare() {
  const longest = (key) => Math.max(1, ...recordings.flatMap(({ steps }) =>
    steps.map(({ state }) => state[key]?.length ?? 0)));
  for (const key of ["tree", "sockets", "conns", "events"]) {
    $("pair").style.setProperty(`--${key}`, Math.min(8, longest(key)));
  }
  $("pair").style.setProperty("--lines", SOURCE_LINES);
  $("pair").style.setProperty("--crumbs", deepest() * 8 > $("pair").clientWidth / 2 ? 2 : 1);
  $("pair").classList.toggle("with-library", recordings.some(({ has }) => has.has("events")));
  const lanes = drawLanes(recordings[0].client, rows, starts);
  $("names").innerHTML = lanes.names;
  $("lanes").innerHTML = lanes.svg;
  $("lanes").setAttribute("height", `${lanes.height}rem`);
  $("at").max = rows.length - 1;
}

// ---- where it stands ----------------------------------------------------------------------------

/** A place is named by the last event that has a name, and how many rows lie behind that. */
function placeName(row) {
  for (let back = row; back >= 0; back--) {
    if (rows[back].name) return rows[back].name + (row > back ? `~${row - back}` : "");
  }
  return row ? `~${row}` : "";
}

function rowNamed(text) {
  const [, name, behind] = /^(.*?)(?:~(\d+))?$/.exec(text);
  const named = ([recording, side]) => {
    const step = name && recording.steps.find((each) => each.name === name);
    return step ? rows.indexOf(stepRows[side][step.index]) : -1;
  };
  const found = name ? recordings.map((each, side) => named([each, side])).find((row) => row >= 0)
    : 0;
  return found === undefined ? -1 : Math.min(rows.length - 1, found + Number(behind ?? 0));
}

function viewOf(side, row) {
  const recording = recordings[side], other = recordings[1 - side];
  const step = recording.steps[Math.max(0, row.done[side])];
  const before = row.moved[side] ? recording.steps[step.index - 1] ?? step : step;
  return { recording, step, rows: stepRows[side], sources: sources[side], most, mark: row.mark,
           before: before.state, client: recording.client, moved: row.moved[side],
           calls: calls[side].slice(0, countUpTo(calls[side], step.index)),
           parted: partedKeys(step.state, other.steps[Math.max(0, row.done[1 - side])].state) };
}

function countUpTo(list, index) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].index <= index) low = middle + 1; else high = middle;
  }
  return low;
}

/** Regions that show another thing than those of the other side, callbacks and numbers aside. */
function partedKeys(mine, theirs) {
  const seen = {
    tree: (leaf) => [leaf.who, leaf.events], conns: (each) => [each.who, each.state, each.owed],
    sockets: (each) => [each.who, each.in, each.out + (each.unread ?? 0)],
    ready: (each) => [each.who, each.events] };
  return Object.keys(seen).filter((key) => mine[key] && theirs[key]
    && JSON.stringify(mine[key].map(seen[key]).sort())
      !== JSON.stringify(theirs[key].map(seen[key]).sort()));
}

const REGIONS = { now: drawNow, tree: drawTree, ready: drawReady, sockets: drawSockets,
                  source: drawSource, conns: drawConnections, events: drawEvents,
                  calls: drawCalls };

const shown = new Map();

/** Most steps leave most regions as they are; to lay those out again is what would cost time. */
function put(id, html) {
  if (shown.get(id) === html) return;
  shown.set(id, html);
  $(id).innerHTML = html;
}

/** Draws row `to`; the address follows, so that what is copied leads back here. */
function go(to, quiet = false) {
  at = Math.min(Math.max(0, to), rows.length - 1);
  const row = rows[at];
  const views = [0, 1].map((side) => viewOf(side, row));
  for (const [side, view] of views.entries()) {
    for (const [name, draw] of Object.entries(REGIONS)) {
      put(`${name}-${SIDES[side]}`, draw(view));
    }
    $(`now-${SIDES[side]}`).classList.toggle("still", !view.moved);
  }
  $("client").innerHTML = drawClient(recordings[0].client, row.client);
  $("cursor").style.insetInlineStart = place(at, rows.length);
  $("at").value = at;
  const said = SIDES.map((side, index) => `${side.toUpperCase()}: ${
    row.moved[index] ? happening(views[index]) : t("stays")}`).join(". ");
  $("at").setAttribute("aria-valuetext", said);
  $("step").textContent = t("step", { at: number(at + 1), count: number(rows.length) });
  $("live").textContent = playing ? "" : said;
  writing ||= setTimeout(setAddress, 300); // browsers refuse more than a few addresses a second
  if (!quiet) notice([]);
}

function setAddress() {
  writing = 0;
  const place = placeName(at);
  const parts = { ...chosen, ...(place && { at: place }) };
  const hash = Object.entries(parts).map(([key, value]) =>
    `${key}=${encodeURIComponent(value)}`).join("&");
  if (location.hash !== `#${hash}`) history.replaceState(null, "", `#${hash}`);
}

function notice(lines) {
  $("notice").textContent = lines.join(" ");
  $("notice").hidden = !lines.length;
}

/** What is special about a recording. */
function showNotes() {
  for (const [side, recording] of recordings.entries()) {
    $(`about-${SIDES[side]}`).textContent = recording.broken ? brokenOf(recording)
      : recording.oneRun ? t("one-run") : "";
    $(`about-${SIDES[side]}`).className = recording.broken ? "bad" : "";
  }
}

// ---- moving -------------------------------------------------------------------------------------

const find = (from, step, test) => {
  for (let row = from + step; row >= 0 && row < rows.length; row += step) {
    if (test(rows[row], row)) return row;
  }
  return step > 0 ? rows.length - 1 : 0;
};

const isStart = (row, index) => starts[row.client] === index;

function next() {
  if (question) return;
  if ($("predict").ariaPressed === "true" && ask(rows[at])) return;
  go(at + 1);
}

const ACTIONS = {
  next, back: () => go(at - 1), first: () => go(0), last: () => go(rows.length - 1),
  event: () => go(find(at, 1, isStart)), "event-back": () => go(find(at, -1, isStart)),
  difference: () => go(find(at, 1, (row) => row.differs)),
  "difference-back": () => go(find(at, -1, (row) => row.differs)),
  play: () => (playing ? stop() : start()),
  faster: () => changeSpeed(1), slower: () => changeSpeed(-1),
  predict: () => setPredict($("predict").ariaPressed !== "true"),
  big: () => setSize((SIZES.indexOf(document.documentElement.style.fontSize) + 1) % SIZES.length),
  language: () => changeLanguage(LANGUAGES[(LANGUAGES.indexOf(language) + 1) % LANGUAGES.length]),
  help: () => ($("keys").open ? $("keys").close() : $("keys").showModal()),
};

// What `?` shows and a button's title names; the keys of an action, and what it is called.
const KEYS = { next: ["→", "ArrowRight"], back: ["←", "ArrowLeft"],
               event: ["↓", "ArrowDown"], "event-back": ["↑", "ArrowUp"],
               difference: ["d", "d"], "difference-back": ["D", "D"],
               first: ["Home", "Home"], last: ["End", "End"], play: ["Space", " "],
               faster: ["+", "+"], slower: ["−", "-"], predict: ["p", "p"], big: ["b", "b"],
               language: ["l", "l"], help: ["?", "?"] };
const ACTION_OF = Object.fromEntries(Object.entries(KEYS).map(([name, [, key]]) => [key, name]));
const keysOf = (action) => KEYS[action]?.[0] ?? "";

function act(name) {
  if (playing && name !== "play" && !["faster", "slower", "big", "language"].includes(name)) stop();
  if (question && name !== "predict") answered(null);
  ACTIONS[name]();
}

function start() {
  if (at === rows.length - 1) go(0);
  playing = setInterval(() => {
    if (at === rows.length - 1) stop(); else next();
  }, 1000 / Number($("speed").value));
  showPlaying();
}

function stop() {
  clearInterval(playing);
  playing = 0;
  showPlaying();
}

function showPlaying() {
  $("play").textContent = t(playing ? "pause" : "play");
}

function changeSpeed(by) {
  const list = $("speed");
  list.selectedIndex = Math.min(Math.max(0, list.selectedIndex + by), list.length - 1);
  if (playing) { stop(); start(); }
}

function setSize(index) {
  document.documentElement.style.fontSize = SIZES[index];
  kept.set("size", index);
}

function changeLanguage(to) {
  kept.set("language", to);
  speak(to);
  go(at);
}

function speak(to) {
  setLanguage(to);
  const rows = Object.keys(KEYS).map((name) => [keysOf(name), `do-${name}`]);
  $("keys").querySelector("dl").innerHTML = [...rows, ["1–9", "answer"], ["Esc", "pass"]]
    .map(([key, text]) => `<dt><kbd>${key}</kbd></dt><dd>${esc(t(text))}</dd>`).join("");
  fillChoosers();
  prepare();
  showNotes();
  showPlaying();
}

// ---- predicting ---------------------------------------------------------------------------------

function setPredict(on) {
  $("predict").ariaPressed = String(on);
  asked = new Set();
  if (!on) closeQuestion();
}

function ask(row) {
  const found = questionAt(row, recordings);
  if (!found || asked.has(likeness(found))) return false;
  stop();
  asked.add(likeness(found));
  question = found;
  const buttons = found.answers.map((text, index) =>
    `<button type="button" data-answer="${index}"><kbd>${index + 1}</kbd> ${esc(text)}</button>`);
  $("question").innerHTML = `<p>${esc(found.text)}</p><p class="answers">${buttons.join("")}</p>`;
  $("question").hidden = false;
  $("question").querySelector("button").focus();
  return true;
}

function closeQuestion() {
  question = null;
  $("question").hidden = true;
  $("question").innerHTML = "";
}

/** Shows what comes; null: it was not answered. */
function answered(index) {
  const { answers, right, next: step, side } = question;
  closeQuestion();
  $("forward").focus();
  if (index === null || index >= answers.length) return;
  go(rows.indexOf(stepRows[side][step.index]));
  const verdict = t(index === right ? "right" : "wrong",
    { answer: answers[right], call: callText(step.call) });
  notice([verdict]);
  $("live").textContent = verdict;
}

// ---- events -------------------------------------------------------------------------------------

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { target, key } = event;
  if (question && /^[1-9]$/.test(key)) return answered(Number(key) - 1);
  if (question && key === "Escape") return answered(null);
  const action = ACTION_OF[key];
  const own = target.matches("select") || $("keys").open && key !== "?"
    || key === " " && target.matches("button")
    || key.startsWith("Arrow") && !/Left|Right/.test(key) && target.matches("pre, .calls");
  if (!action || own) return;
  event.preventDefault();
  act(action);
}

function listen() {
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button?.dataset.act) act(button.dataset.act);
    if (button?.dataset.answer) answered(Number(button.dataset.answer));
    const mark = target.closest("[data-row]");
    if (mark) go(Number(mark.dataset.row));
  });
  $("at").addEventListener("input", () => { stop(); closeQuestion(); go(Number($("at").value)); });
  $("speed").addEventListener("change", () => changeSpeed(0));
  for (const key of ["conv", ...SIDES]) {
    $(key).addEventListener("change", () => choose(key, $(key).value));
  }
  addEventListener("hashchange", () => show(wanted()));
}

/** Another conversation starts at its beginning; another server stays at the client's step. */
function choose(key, value) {
  const client = rows[at].client;
  const { servers } = conversationOf(key === "conv" ? value : chosen.conv);
  const next = { ...chosen, [key]: value, position: "" };
  for (const side of SIDES) if (!servers.includes(next[side])) [next[side]] = servers;
  show(next).then(() => { if (key !== "conv") go(starts[client] ?? 0); });
}

async function show(what) {
  closeQuestion();
  await load(what);
  showNotes();
}

async function begin() {
  $("pair").innerHTML = SIDES.map((side) =>
    $("column").innerHTML.replaceAll("SIDE", side).replace("LETTER", side.toUpperCase())).join("");
  setSize(Number(kept.get("size") ?? 0));
  await load(wanted());
  speak(language);
  listen();
  document.documentElement.dataset.ready = "yes";
}

begin();
