"use strict";

// Two recordings become one list of rows. A row is one step of A, or of B, or of both where both do
// the same; the page steps from row to row. The clients' steps divide the rows, since the clients
// do the same to both. Between two of those the calls are matched first, by what they are for, as
// `make diff` does; functions only where the calls leave a gap, or a function that one stage calls
// earlier would tear the calls apart.

const READS = new Set(["recvfrom", "recv", "read", "readv", "recvmsg"]);
const WRITES = new Set(["sendto", "send", "write", "writev", "sendmsg"]);
const ROLE = /\bc\d+\b|\b[a-z]+-(?:listener|pipe)\b|\bsignals\b|\btimer\b/;
const MOST_CELLS = 4e6; // of the table below; a larger one takes the browser half a second

/** epoll_wait that has returned; that it goes to sleep is a step of its own, of kind "wait". */
const isWait = (step) => step.kind === "call" && step.call.name.includes("wait");

/** What two steps must have in common to stand in one row. */
function purpose(step) {
  if (step.kind === "client") return `client ${step.client}`;
  if (step.kind === "enter") return `enter ${step.where.name}`;
  if (step.kind === "wait") return "sleeps";
  const { name, args, result } = step.call;
  if (isWait(step)) return `wait ${result}`;
  const job = READS.has(name) ? "read" : WRITES.has(name) ? "write" : name;
  return `${job} ${ROLE.exec(`${args} ${result}`)?.[0] ?? ""}`;
}

/** As `make trace` writes it; a signal is none, but stands among them. */
const callText = ({ name, args, result }) => (name === "signal" ? args
  : `${name}(${args})${result === "" ? "" : ` = ${result}`}`);

/** The longest list of pairs [i, j] with equal keys, both rising. */
function common(a, b) {
  if (a.length * b.length > MOST_CELLS) return inOrder(a, b);
  const wide = b.length + 1;
  const best = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      best[i * wide + j] = a[i].key === b[j].key ? best[(i + 1) * wide + j + 1] + 1
        : Math.max(best[(i + 1) * wide + j], best[i * wide + j + 1]);
    }
  }
  const pairs = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i].key === b[j].key) pairs.push([a[i++], b[j++]]);
    else if (best[(i + 1) * wide + j] >= best[i * wide + j + 1]) i++;
    else j++;
  }
  return pairs;
}

/** The same by taking what comes first: for bulk, where the same few calls come again and again. */
function inOrder(a, b) {
  const pairs = [];
  let from = 0;
  for (const one of a) {
    const at = b.findIndex((other, j) => j >= from && other.key === one.key);
    if (at < 0) continue;
    pairs.push([one, b[at]]);
    from = at + 1;
  }
  return pairs;
}

/** Appends the rows of two runs of steps: matched by `tests[0]`, in the gaps by what follows it. */
function merge(a, b, tests, rows) {
  if (!tests.length || !a.length || !b.length) {
    a.forEach((step) => rows.push([step, null]));
    b.forEach((step) => rows.push([null, step]));
    return;
  }
  const [test, ...rest] = tests;
  let fromA = 0, fromB = 0;
  for (const [one, other] of common(a.filter(test), b.filter(test))) {
    const toA = a.indexOf(one, fromA), toB = b.indexOf(other, fromB);
    merge(a.slice(fromA, toA), b.slice(fromB, toB), rest, rows);
    rows.push([one, other]);
    fromA = toA + 1;
    fromB = toB + 1;
  }
  merge(a.slice(fromA), b.slice(fromB), rest, rows);
}

/** `|`: both do it, and not in the same way. Where one real run of a bulk transfer is stored, the
 * kernel cut it by chance: its sizes are no difference. */
function mark(one, other, byChance) {
  if (!other) return "<";
  if (!one) return ">";
  if (one.kind !== "call") return " ";
  const texts = [one, other].map(({ call }) =>
    byChance ? callText(call).replace(/\b\d+\b/g, "#") : callText(call));
  return texts[0] === texts[1] ? " " : "|";
}

function align(a, b) {
  for (const step of [...a.steps, ...b.steps]) step.key ??= purpose(step);
  const last = Math.max(...[a, b].map((recording) => recording.steps.at(-1)?.client ?? -1));
  const byChance = a.oneRun || b.oneRun;
  const pairs = [];
  for (let client = -1; client <= last; client++) {
    const [left, right] = [a, b].map(({ steps }) => steps.filter((s) => s.client === client));
    merge(left, right, [(step) => step.kind !== "enter", () => true], pairs);
  }
  let done = [-1, -1];
  return pairs.map((pair) => {
    const moved = pair.map((step) => step !== null);
    done = done.map((at, side) => (moved[side] ? pair[side].index : at));
    const step = pair[0] ?? pair[1];
    const how = mark(pair[0], pair[1], byChance);
    return { done, moved, mark: how, client: step.client, kind: step.kind,
             differs: step.kind === "call" && how !== " ",
             name: pair[0]?.name || pair[1]?.name || "" };
  });
}
