// Package sdktest_test owns the proof that the SDKs of OpenAI and Anthropic, as their users call them, are protected by
// an http.Client with circuits before it. The SDKs are real, and so are the sockets; only the providers are stand-ins.
package sdktest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"libtrip.example/trip"
	"libtrip.example/trip/triphttp"
)

// A provider answers as it is told to, over the loopback interface.
type provider struct {
	*testing.T
	tracker *trip.Tracker
	server  *httptest.Server
	client  *http.Client // with circuits before it
	asked   atomic.Int32
	answer  http.HandlerFunc
}

func newProvider(t *testing.T, config trip.Config, answer http.HandlerFunc) *provider {
	t.Helper()
	config.Clock = trip.ClockManual
	tracker, err := trip.NewTracker(config)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{T: t, tracker: tracker, answer: answer}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		p.asked.Add(1)
		io.Copy(io.Discard, request.Body)
		p.answer(w, request)
	}))
	p.client = &http.Client{Transport: triphttp.NewRoundTripper(tracker, p.server.Client().Transport)}
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
		tracker.Close()
	})
	return p
}

// inspect is what the provider's circuit has seen.
func (p *provider) inspect() trip.CircuitInfo {
	p.Helper()
	circuit, err := p.tracker.Circuit("", p.server.Listener.Addr().String())
	if err != nil {
		p.Fatal(err)
	}
	info, err := circuit.Inspect()
	if err != nil {
		p.Fatal(err)
	}
	return info
}

// want compares how the calls have ended, of which none may be left.
func (p *provider) want(successes, failures, cancels uint64) {
	p.Helper()
	info := p.inspect()
	if info.Successes != successes || info.FailuresTotal != failures || info.Cancels != cancels ||
		info.Permits != successes+failures+cancels {
		p.Errorf("%d successes, %d failures and %d cancels expected, inspected %+v", successes, failures, cancels, info)
	}
}

func says(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// streams answers with events one by one; then it waits until the client is gone, or cuts the connection, or ends.
func streams(then string, events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, event := range events {
			fmt.Fprint(w, event)
			w.(http.Flusher).Flush()
		}
		switch then {
		case "waits":
			<-request.Context().Done()
		case "cuts":
			panic(http.ErrAbortHandler)
		}
	}
}
