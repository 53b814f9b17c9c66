"use strict";

// The mode that asks before it shows: which call comes next, once epoll_wait has returned; and
// whether what was hung on the tree will be ready when epoll_wait is asked next. The right answer
// is what the recording says.

const CALLS_OFFERED = ["accept4", "close", "epoll_ctl", "epoll_wait", "recvfrom", "sendto"];

const nextOf = (steps, from, test) => steps.find((step) => step.index > from && test(step));

function askCall(side, steps, step) {
  const next = nextOf(steps, step.index, (each) => each.kind === "call");
  if (!isWait(step) || !ROLE.test(step.call.result) || !next) return null;
  const answers = CALLS_OFFERED.includes(next.call.name) ? CALLS_OFFERED
    : [...CALLS_OFFERED, next.call.name].sort();
  return { text: t("ask-call", { side, seen: callText(step.call) }), answers, next,
           right: answers.indexOf(next.call.name) };
}

function askReady(side, steps, step) {
  if (step.call.name !== "epoll_ctl" || /\bDEL\b/.test(step.call.args)) return null;
  const about = ROLE.exec(step.call.args)?.[0];
  const next = nextOf(steps, step.index, isWait);
  if (!about || !next) return null;
  const ready = new RegExp(`\\b${about}\\b`).test(next.call.result);
  return { text: t("ask-ready", { side, who: about, seen: callText(step.call) }), next,
           answers: [t("yes"), t("no")], right: ready ? 0 : 1 };
}

/** The question behind that row, of the first side that moved in it; null if there is none. */
function questionAt(row, recordings) {
  const side = row.moved[0] ? 0 : 1;
  const { steps } = recordings[side];
  const step = steps[row.done[side]];
  if (step?.kind !== "call") return null;
  const name = "AB"[side];
  const found = askCall(name, steps, step) ?? askReady(name, steps, step);
  return found && { ...found, side };
}

/** A question whose like was asked already is not asked again: bulk repeats itself. */
const likeness = (question) => JSON.stringify([question.side, question.text, question.right]);
