// This file owns what became of a call: as both sides count it, and as the circuit is told.

package main

import (
	"errors"
	"log"
	"net"
	"net/http"
	"syscall"
	"time"

	"libtrip.example/trip"
)

// An answer is a response that was read to its end.
type answer struct {
	status  int
	headers http.Header
	body    []byte
}

// outcome is what both sides are counted by; libtrip has no part in it.
func outcome(got *answer, err error) string {
	switch {
	case isTimeout(err):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "unreachable"
	case err != nil:
		return "broken"
	case got.status >= 500 || got.status == http.StatusTooManyRequests:
		return "failed"
	case got.status >= 400:
		return "mistaken"
	}
	return "answered"
}

// classify is the same for the circuit, in the library's classes.
func classify(got *answer, err error) trip.CallOutcome {
	switch {
	case isTimeout(err):
		return trip.CallOutcome{Class: trip.ClassTimeout}
	case err != nil:
		return trip.CallOutcome{Class: trip.ClassNetwork}
	}
	learned := trip.ClassifyHTTP(got.status, got.body)
	if wait := askedWait(got.headers); wait != 0 {
		learned.RetryAfter = wait
	}
	return learned
}

// askedWait is how long the provider asks to stay away. The finer header first: the other knows nothing below a second.
func askedWait(headers http.Header) time.Duration {
	for _, name := range []string{"retry-after-ms", "retry-after"} {
		if value := headers.Get(name); value != "" {
			wait, err := trip.ParseRetryHint(name, value, time.Now())
			if err != nil {
				log.Fatal(err) // a program would go without the wait; a demo had better be seen to fail
			}
			return wait
		}
	}
	return 0
}

func isTimeout(err error) bool {
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout()
}
