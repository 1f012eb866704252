// What the breakers are put around, and what a caller makes of their answers: each is true when it is as it should be.
"use strict";

const ANSWER = 7;

class Down extends Error {}

async function answer() {
  return ANSWER;
}

async function beDown() {
  throw new Down("down");
}

// A call that answers.
function answers(call) {
  return async () => (await call()) === ANSWER;
}

// A call that throws what `is` knows.
function throws(call, is) {
  return async () => {
    try {
      await call();
      return false;
    } catch (error) {
      return is(error);
    }
  };
}

async function repeatedly(call, times) {
  for (let i = 0; i < times; i++) await call();
}

const isDown = (error) => error instanceof Down;

module.exports = { answer, answers, beDown, isDown, repeatedly, throws, DAY_MS: 24 * 3600 * 1000 };
