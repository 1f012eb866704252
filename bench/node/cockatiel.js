// cockatiel: a policy around a function, driven by consecutive failures.
"use strict";

const { BrokenCircuitError, ConsecutiveBreaker, circuitBreaker, handleAll } = require("cockatiel");
const { answer, answers, beDown, isDown, repeatedly, throws, DAY_MS } = require("./calls");

function breaker(failures, halfOpenAfter) {
  return circuitBreaker(handleAll, { halfOpenAfter, breaker: new ConsecutiveBreaker(failures) });
}

const isRefusal = (error) => error instanceof BrokenCircuitError;

module.exports = {
  name: "cockatiel",
  version: require("cockatiel/package.json").version,
  licence: "MIT",
  configuration:
    "ConsecutiveBreaker(5), half open after 30 s; the newest for Node 20 (4.0.0 needs 22). Every column by execute() " +
    "of an async function. failure: threshold 2^53 - 1. refusal: open for a day. It has no look-up by name",
  columns: {
    async: () => {
      const usual = breaker(5, 30_000);
      return answers(() => usual.execute(answer));
    },
    failure: () => {
      const patient = breaker(Number.MAX_SAFE_INTEGER, 30_000);
      return throws(() => patient.execute(beDown), isDown);
    },
    refusal: async () => {
      const open = breaker(5, DAY_MS);
      await repeatedly(throws(() => open.execute(beDown), isDown), 5);
      return throws(() => open.execute(answer), isRefusal);
    },
  },
};
