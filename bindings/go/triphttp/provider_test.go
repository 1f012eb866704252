// The provider of these tests: a real server on the loopback interface, a client with circuits before it, and what the
// circuit has counted.

package triphttp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"libtrip.example/trip"
	"libtrip.example/trip/triphttp"
)

// A rig is a client with circuits before it, and the one server that it calls.
type rig struct {
	*testing.T
	tracker *trip.Tracker
	server  *httptest.Server
	client  *http.Client
}

type handler = func(http.ResponseWriter, *http.Request)

func newRig(t *testing.T, config trip.Config, answer handler, options ...triphttp.Option) *rig {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(answer))
	return rigOf(t, config, server, options...)
}

// newHTTP2Rig is newRig with a server and a client that speak HTTP/2.
func newHTTP2Rig(t *testing.T, config trip.Config, answer handler) *rig {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(answer))
	server.EnableHTTP2 = true
	server.StartTLS()
	return rigOf(t, config, server)
}

func rigOf(t *testing.T, config trip.Config, server *httptest.Server, options ...triphttp.Option) *rig {
	t.Helper()
	if config.Clock == 0 {
		config.Clock = trip.ClockManual
	}
	tracker, err := trip.NewTracker(config)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.Transport = triphttp.NewRoundTripper(tracker, client.Transport, options...)
	t.Cleanup(func() {
		client.CloseIdleConnections()
		server.CloseClientConnections()
		server.Close()
		tracker.Close()
	})
	return &rig{T: t, tracker: tracker, server: server, client: client}
}

func (r *rig) circuit() *trip.Circuit {
	r.Helper()
	circuit, err := r.tracker.Circuit("", r.server.Listener.Addr().String())
	if err != nil {
		r.Fatal(err)
	}
	return circuit
}

// want compares what the circuit has counted.
func (r *rig) want(want counts) {
	r.Helper()
	if got := r.counts(); got != want {
		r.Errorf("counted %+v, expected %+v", got, want)
	}
}

// counts are those of a circuit; out are the permits that are not settled.
type counts struct{ successes, failures, cancels, drops, refused, out uint64 }

func (r *rig) counts() counts {
	r.Helper()
	info, err := r.circuit().Inspect()
	if err != nil {
		r.Fatal(err)
	}
	return counts{
		successes: info.Successes, failures: info.FailuresTotal, cancels: info.Cancels, drops: info.Drops,
		refused: info.Rejections, out: info.Permits - info.Successes - info.FailuresTotal - info.Cancels - info.Drops,
	}
}

func (r *rig) get() (*http.Response, error) { return r.client.Get(r.server.URL) }

// open makes a request that is answered, and leaves its body to be read.
func (r *rig) open() *http.Response {
	r.Helper()
	response, err := r.get()
	if err != nil {
		r.Fatal(err)
	}
	return response
}

// read makes a request that is answered, and reads what it is answered with.
func (r *rig) read() (string, error) {
	r.Helper()
	response := r.open()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

// says answers with a status, a type and a body.
func says(status int, kind, body string) handler {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// streams answers with pieces one by one; then it waits until the client is gone, or cuts the connection, or ends.
func streams(then string, pieces ...string) handler {
	return func(w http.ResponseWriter, request *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range pieces {
			io.WriteString(w, piece)
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

const token = "data: {\"choices\": [{\"delta\": {\"content\": \"no error at all\"}}]}\n\n"

// readFirst reads until a part of the body has come.
func readFirst(t testing.TB, body io.Reader, part string) {
	t.Helper()
	var got strings.Builder
	piece := make([]byte, 41) // lines come in pieces
	for !strings.Contains(got.String()[max(0, got.Len()-len(part)-len(piece)):], part) {
		n, err := body.Read(piece)
		got.Write(piece[:n])
		if err != nil {
			t.Fatalf("after %q: %v", got.String(), err)
		}
	}
}
