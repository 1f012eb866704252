// A stand: times breakers in Node, one run per line of its input; the bench's README.md has the protocol. This file
// owns the protocol and the clock; it knows no peer.
"use strict";

const readline = require("node:readline");
const peers = [require("./cockatiel"), require("./opossum")];

const FIRST_CALLS = 64;
const prepared = new Map();

async function answer(line) {
  const [name, column, calls, ...more] = line.split(" ");
  if (more.length > 0 || !(Number.isInteger(Number(calls)) && Number(calls) > 0)) {
    return { error: "a line is: peer column calls, and calls are above 0" };
  }
  const prepare = peers.find((peer) => peer.name === name)?.columns[column];
  if (prepare === undefined) return { error: "no such peer, or no such column" };
  const place = `${name} ${column}`;
  if (!prepared.has(place)) prepared.set(place, await prepare());
  return time(prepared.get(place), Number(calls));
}

// Nanoseconds of a call, unless calls were not answered as they should be.
async function time(call, calls) {
  let wrong = await repeat(call, FIRST_CALLS);
  const start = process.hrtime.bigint();
  wrong += await repeat(call, calls);
  const ns = Number(process.hrtime.bigint() - start);
  return wrong > 0 ? { error: `${wrong} calls were not answered as they should be` } : { ns_per_call: ns / calls };
}

async function repeat(call, calls) {
  let wrong = 0;
  for (let i = 0; i < calls; i++) {
    if (!(await call())) wrong++;
  }
  return wrong;
}

function say(told) {
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

async function main() {
  const told = peers.map((peer) => ({ ...peer, columns: Object.keys(peer.columns) }));
  say({ language: "node", peers: told });
  for await (const line of readline.createInterface({ input: process.stdin })) say(await answer(line));
  process.exit(0); // breakers may have timers that are still to come
}

main();
