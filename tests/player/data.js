"use strict";

// What build.py packed, unpacked: it says how.

const contents = JSON.parse(document.getElementById("contents").textContent);
const unpacked = new Map();

async function inflate(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function packed(id) {
  if (!unpacked.has(id)) unpacked.set(id, inflate(document.getElementById(id).textContent.trim()));
  return unpacked.get(id);
}

/** The recording of a server, its steps with the whole state each. */
async function recordingOf(conversation, server) {
  const { client, tables, recordings } = await packed(`conv-${conversation}`);
  const { oneRun, functions, columns } = recordings[server];
  const has = new Set();
  let state = {};
  const steps = columns.line.map((line, index) => {
    const stack = tables.stacks[columns.stack[index]].map((at) => functions[at]);
    const call = columns.call[index] < 0 ? null : tables.calls[columns.call[index]];
    const changes = columns.state[index].map(([key, value]) =>
      [tables.keys[key], tables.values[value]]);
    if (changes.length) state = { ...state, ...Object.fromEntries(changes) };
    changes.forEach(([key]) => has.add(key));
    return { index, line, stack, call, state, client: columns.client[index],
             where: functions[columns.fn[index]] ?? null, name: tables.names[columns.name[index]],
             kind: ["call", "enter", "client", "wait"][columns.kind[index]] };
  });
  return { server, conversation, client, steps, has, oneRun, ...contents.servers[server] };
}

/** Lines of a source file as that server was built from it. */
async function sourceOf(server, file) {
  const sources = await packed("sources");
  return sources[`${server}:${file}`] ?? sources[file] ?? [];
}
