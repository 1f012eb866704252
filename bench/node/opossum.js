// opossum: an event emitter around a function, driven by the share of failures in a rolling window.
"use strict";

const CircuitBreaker = require("opossum");
const { answer, answers, beDown, isDown, repeatedly, throws, DAY_MS } = require("./calls");

function breaker(action, errorThresholdPercentage, resetTimeout) {
  return new CircuitBreaker(action, {
    timeout: false,
    volumeThreshold: 5,
    errorThresholdPercentage,
    resetTimeout,
    rollingPercentilesEnabled: false, // with them each failure sorts the latencies of all calls in the window
  });
}

const isRefusal = (error) => CircuitBreaker.isOurError(error) && error.code === "EOPENBREAKER";

module.exports = {
  name: "opossum",
  version: require("opossum/package.json").version,
  licence: "Apache-2.0",
  configuration:
    "more than 99 % of at least 5 calls in its rolling 10 s: it counts no failures in a row; 30 s, no timeout; the " +
    "newest for Node 20 (10.0.0 needs 22). Every column by fire() of an async function. failure: more than 100 %, " +
    "which is never. refusal: open for a day. It has no look-up by name",
  columns: {
    async: () => {
      const usual = breaker(answer, 99, 30_000);
      return answers(() => usual.fire());
    },
    failure: () => {
      const patient = breaker(beDown, 100, 30_000);
      return throws(() => patient.fire(), isDown);
    },
    refusal: async () => {
      const open = breaker(beDown, 99, DAY_MS);
      await repeatedly(throws(() => open.fire(), isDown), 5);
      return throws(() => open.fire(), isRefusal);
    },
  },
};
