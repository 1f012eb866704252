// These tests own the way of a request: what is recorded of answers that are no stream, what the caller gets, and what
// becomes of a request that is refused, broken or goes unguarded.

package triphttp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libtrip.example/trip"
	"libtrip.example/trip/triphttp"
)

func TestAnAnswerIsOfTheClassOfTheTables(t *testing.T) {
	for name, end := range map[string]struct {
		answer handler
		want   counts
	}{
		"200":                  {says(200, "application/json", `{"choices": []}`), counts{successes: 1}},
		"200 with nothing":     {says(200, "application/json", ""), counts{successes: 1}},
		"200 with an error":    {says(200, "text/plain", `{"error": {"type": "overloaded_error"}}`), counts{failures: 1}},
		"204":                  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, counts{successes: 1}},
		"304":                  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, counts{successes: 1}},
		"400":                  {says(400, "application/json", `{}`), counts{successes: 1}},
		"401":                  {says(401, "text/plain", "who are you?"), counts{successes: 1}},
		"429":                  {says(429, "text/plain", "slow down"), counts{failures: 1}},
		"500":                  {says(500, "text/plain", "oh"), counts{failures: 1}},
		"529":                  {says(529, "text/plain", ""), counts{failures: 1}},
		"403 that is a limit":  {says(403, "text/plain", `{"error": {"code": "rate_limit_exceeded"}}`), counts{failures: 1}},
		"a connection is lost": {streams("cuts"), counts{failures: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, trip.Config{}, end.answer)
			r.client.Transport.(*triphttp.RoundTripper).CloseIdleConnections()
			if response, err := r.get(); err == nil {
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
			} else if name != "a connection is lost" {
				t.Error(err)
			}
			r.want(end.want)
		})
	}
}

func TestAHeadIsJudgedByItsStatus(t *testing.T) {
	r := newRig(t, trip.Config{}, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99") })
	response, err := r.client.Head(r.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.want(counts{successes: 1})
	response.Body.Close()
}

func TestAnOverloadedProviderIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	for header, value := range map[string]string{"Retry-After": "77", "Retry-After-Ms": "77000"} {
		r := newRig(t, trip.Config{FailureThreshold: 1}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(header, value)
			w.WriteHeader(529)
		})
		r.open().Body.Close()
		_, err := r.get()
		var open *trip.OpenError
		if !errors.Is(err, trip.ErrOpen) || !errors.As(err, &open) || open.RetryAfter != 77*time.Second {
			t.Errorf("%s: %v", header, err)
		}
		r.tracker.Advance(77 * time.Second)
		r.open().Body.Close()
		r.want(counts{failures: 2, refused: 1})
	}
}

func TestTheQuotaOfABodyOpensAtOnce(t *testing.T) {
	const used = `{"error": {"code": "insufficient_quota"}}`
	r := newRig(t, trip.Config{FailureThreshold: 1}, says(429, "application/json", used))
	r.open().Body.Close()
	if info, _ := r.circuit().Inspect(); info.RetryAfter != 10*time.Minute {
		t.Errorf("inspected %+v", info)
	}
}

func TestTheBodyOfAnErrorIsGivenBackWhole(t *testing.T) {
	long := strings.Repeat("it did not work, and this is why: ", 10_000)
	for name, text := range map[string]string{"short": "no", "long": long, "as long as is read": long[:64<<10]} {
		r := newRig(t, trip.Config{}, says(500, "text/plain", text))
		if got, err := r.read(); got != text || err != nil {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(text), err)
		}
		r.want(counts{failures: 1})
	}
	t.Run("and breaks where it broke", func(t *testing.T) {
		r := newRig(t, trip.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(500)
			io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		})
		if got, err := r.read(); got != "half" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q, %v", got, err)
		}
		r.want(counts{failures: 1})
	})
}

// tracked tells when a request's body is closed.
type tracked struct {
	io.Reader
	closed atomic.Int32
}

func (b *tracked) Close() error { b.closed.Add(1); return nil }

func TestARefusedRequestIsNotMadeAndItsBodyIsClosed(t *testing.T) {
	var asked atomic.Int32
	r := newRig(t, trip.Config{}, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	r.circuit().Trip()
	sent := &tracked{Reader: strings.NewReader("question")}
	_, err := r.client.Post(r.server.URL, "text/plain", sent)
	var open *trip.OpenError
	if !errors.As(err, &open) || open.Provider != r.server.Listener.Addr().String() || open.Tenant != "" {
		t.Errorf("Post returned %v", err)
	}
	if asked.Load() != 0 || sent.closed.Load() != 1 {
		t.Errorf("asked %d times, closed %d times", asked.Load(), sent.closed.Load())
	}
	r.want(counts{refused: 1})
}

func TestTheRequestIsNotModified(t *testing.T) {
	r := newRig(t, trip.Config{}, func(w http.ResponseWriter, request *http.Request) { io.Copy(w, request.Body) })
	sent := &tracked{Reader: strings.NewReader("question")}
	request, _ := http.NewRequest(http.MethodPost, r.server.URL, sent)
	request.Header.Set("X-Of", "the caller")
	before := *request
	header := request.Header.Clone()
	response, err := r.client.Transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if string(answer) != "question" || response.Request != request || sent.closed.Load() == 0 {
		t.Errorf("%q, closed %d times", answer, sent.closed.Load())
	}
	if !reflect.DeepEqual(*request, before) || !reflect.DeepEqual(request.Header, header) {
		t.Errorf("the request is\n%+v, was\n%+v", request, before)
	}
}

func TestWhatIsTheCallersMistakeTellsNothing(t *testing.T) {
	r := newRig(t, trip.Config{}, says(200, "text/plain", "yes"))
	errDisk := errors.New("disk on fire")
	unreadable := io.MultiReader(strings.NewReader("ques"), iotestErr{errDisk})
	if _, err := r.client.Post(r.server.URL, "text/plain", unreadable); !errors.Is(err, errDisk) {
		t.Errorf("a body that cannot be read: %v", err)
	}
	request, _ := http.NewRequest(http.MethodGet, r.server.URL, nil)
	request.Header.Set("X-Bad", "a\nb")
	if _, err := r.client.Do(request); err == nil {
		t.Error("a header that is none has passed")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.client.Do(request.Clone(ctx)); err == nil {
		t.Error("a context that is over has passed")
	}
	r.want(counts{cancels: 3})
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

func TestAProviderThatCannotBeReachedFails(t *testing.T) {
	r := newRig(t, trip.Config{}, says(200, "text/plain", "yes"))
	r.server.Close()
	if _, err := r.get(); err == nil {
		t.Fatal("it is there")
	}
	r.want(counts{failures: 1})
}

func TestADeadlineBeforeTheAnswerIsAFailure(t *testing.T) {
	r := newRig(t, trip.Config{}, func(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() })
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL, nil)
	if _, err := r.client.Do(request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Do returned %v", err)
	}
	r.want(counts{failures: 1})
}

func TestTrailersArriveBehindTheBody(t *testing.T) {
	r := newRig(t, trip.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "body")
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "17")
	})
	response := r.open()
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.Trailer.Get("X-Sum") != "17" {
		t.Errorf("the trailer is %v", response.Trailer)
	}
	r.want(counts{successes: 1})
}

func TestAnUpgradedConnectionIsTheCallers(t *testing.T) {
	r := newRig(t, trip.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		connection, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		io.WriteString(connection, "you said: "+line)
	})
	request, _ := http.NewRequest(http.MethodGet, r.server.URL, nil)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "echo")
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	r.want(counts{successes: 1})
	both, isTwoWay := response.Body.(io.ReadWriteCloser)
	if !isTwoWay {
		t.Fatalf("the body is a %T", response.Body)
	}
	defer both.Close()
	io.WriteString(both, "hello\n")
	if line, err := bufio.NewReader(both).ReadString('\n'); line != "you said: hello\n" {
		t.Errorf("%q, %v", line, err)
	}
}

func TestABodyIsSentWhenTheServerSaysContinue(t *testing.T) {
	var continued atomic.Bool
	r := newRig(t, trip.Config{}, func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/no" {
			w.WriteHeader(http.StatusExpectationFailed)
			return
		}
		_, err := io.Copy(w, request.Body)
		continued.Store(err == nil)
	})
	r.client.Transport = triphttp.NewRoundTripper(r.tracker, &http.Transport{ExpectContinueTimeout: time.Minute})
	for path, want := range map[string]string{"/yes": "question", "/no": ""} {
		sent := &tracked{Reader: strings.NewReader("question")}
		request, _ := http.NewRequest(http.MethodPost, r.server.URL+path, sent)
		request.Header.Set("Expect", "100-continue")
		response, err := r.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if string(got) != want {
			t.Errorf("%s: %q", path, got)
		}
		for sent.closed.Load() == 0 { // by a goroutine of the transport's
			time.Sleep(time.Millisecond)
		}
	}
	r.want(counts{successes: 2})
	if !continued.Load() {
		t.Error("the body has not come")
	}
}

func TestEachHopOfARedirectAsksAndCountsForItself(t *testing.T) {
	r := newRig(t, trip.Config{}, func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/" {
			http.Redirect(w, request, "/there", http.StatusFound)
		}
	})
	r.open().Body.Close()
	r.want(counts{successes: 2})
}

func TestOptionsSayWhoseRequestItIsAndWhoIsAsked(t *testing.T) {
	type tenantKey struct{}
	r := newRig(t, trip.Config{}, says(500, "text/plain", "oh"),
		triphttp.WithTenant(func(request *http.Request) string { return request.Context().Value(tenantKey{}).(string) }),
		triphttp.WithProvider(func(request *http.Request) string { return "openai" + request.URL.Path }),
		triphttp.WithClassifier(func(response *http.Response, body []byte) trip.CallOutcome {
			if response.StatusCode != 500 || string(body) != "oh" {
				t.Errorf("asked about %d, %q", response.StatusCode, body)
			}
			return trip.CallOutcome{Class: trip.ClassNotFound}
		}),
		triphttp.WithTenant(nil), triphttp.WithProvider(nil), triphttp.WithClassifier(nil))
	ctx := context.WithValue(context.Background(), tenantKey{}, "acme")
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL+"/chat", nil)
	response, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	circuit, _ := r.tracker.Circuit("acme", "openai/chat")
	if info, _ := circuit.Inspect(); info.Successes != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestTheProviderIsTheHost(t *testing.T) {
	tracker, _ := trip.NewTracker(trip.Config{})
	defer tracker.Close()
	errNobody := errors.New("nobody is asked here")
	nobody := func(*http.Request) (*http.Response, error) { return nil, errNobody }
	transport := triphttp.NewRoundTripper(tracker, base(nobody))
	for address, provider := range map[string]string{
		"https://API.OpenAI.com/v1":     "api.openai.com",
		"https://api.openai.com:443/v1": "api.openai.com",
		"http://127.0.0.1:80/":          "127.0.0.1",
		"http://127.0.0.1:8080/":        "127.0.0.1:8080",
		"https://[::1]:443/":            "[::1]",
		"http://example.com:443/":       "example.com:443",
	} {
		circuit, _ := tracker.Circuit("", provider)
		before, _ := circuit.Inspect()
		request, _ := http.NewRequest(http.MethodGet, address, nil)
		if _, err := transport.RoundTrip(request); err != errNobody {
			t.Errorf("%s: %v", address, err)
		}
		if info, _ := circuit.Inspect(); info.Permits != before.Permits+1 {
			t.Errorf("%s does not ask %q", address, provider)
		}
	}
}

type base func(*http.Request) (*http.Response, error)

func (b base) RoundTrip(request *http.Request) (*http.Response, error) { return b(request) }

func TestTheBreakerIsNeverTheOutage(t *testing.T) {
	var reported atomic.Int32
	r := newRig(t, trip.Config{OnError: func(error) { reported.Add(1) }}, says(200, "text/plain", "yes"))
	open := r.open()
	r.tracker.Close()
	open.Body.Close()
	if got, err := r.read(); got != "yes" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if reported.Load() != 2 {
		t.Errorf("reported %d errors", reported.Load())
	}
	r.client.Transport = triphttp.NewRoundTripper(nil, nil)
	if got, err := r.read(); got != "yes" || err != nil {
		t.Errorf("without a tracker: %q, %v", got, err)
	}
	long := func(*http.Request) string { return strings.Repeat("x", 300) }
	r.client.Transport = triphttp.NewRoundTripper(r.tracker, nil, triphttp.WithTenant(long))
	if got, err := r.read(); got != "yes" || err != nil {
		t.Errorf("with a tenant that is too long: %q, %v", got, err)
	}
}

func TestAPanicOfTheTransportDropsThePermit(t *testing.T) {
	r := newRig(t, trip.Config{}, says(200, "text/plain", "yes"))
	panics := func(*http.Request) (*http.Response, error) { panic("oh") }
	r.client.Transport = triphttp.NewRoundTripper(r.tracker, base(panics))
	func() {
		defer func() { recover() }()
		r.get()
	}()
	r.want(counts{drops: 1})
}

// idle tells when its idle connections are closed.
type idle struct {
	http.RoundTripper
	closed int
}

func (i *idle) CloseIdleConnections() { i.closed++ }

func TestIdleConnectionsAreTheTransports(t *testing.T) {
	transport := &idle{}
	client := &http.Client{Transport: triphttp.NewRoundTripper(nil, transport)}
	client.CloseIdleConnections()
	if transport.closed != 1 {
		t.Errorf("closed %d times", transport.closed)
	}
	client.Transport = triphttp.NewRoundTripper(nil, base(nil))
	client.CloseIdleConnections()
}

func TestManyRequestsAtOnceAreEachCountedOnce(t *testing.T) {
	r := newRig(t, trip.Config{FailureThreshold: 1000}, func(w http.ResponseWriter, request *http.Request) {
		switch request.URL.Path {
		case "/bad":
			w.WriteHeader(500)
		case "/stream":
			streams("waits", token)(w, request)
		default:
			fmt.Fprint(w, "yes")
		}
	})
	var group sync.WaitGroup
	for i := range 60 {
		group.Add(1)
		go func() {
			defer group.Done()
			path := []string{"/good", "/bad", "/stream"}[i%3]
			response, err := r.client.Post(r.server.URL+path, "text/plain", bytes.NewReader([]byte("question")))
			if err != nil {
				t.Error(err)
				return
			}
			if path != "/stream" {
				io.Copy(io.Discard, response.Body)
			}
			response.Body.Close()
		}()
	}
	group.Wait()
	r.want(counts{successes: 20, failures: 20, cancels: 20})
}

func TestStopRetriesTellsAClientNotToTryAgain(t *testing.T) {
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	refused := fmt.Errorf("wrapped: %w", &trip.OpenError{Reason: trip.ErrOpen})
	lost := &net.OpError{Op: "read", Err: io.ErrUnexpectedEOF}
	for _, end := range []struct {
		err   error
		stops bool
	}{{refused, true}, {lost, false}, {nil, false}} {
		response, err := triphttp.StopRetries(request, func(*http.Request) (*http.Response, error) { return nil, end.err })
		if err != end.err || (response != nil) != end.stops {
			t.Errorf("%v became %v, %v", end.err, response, err)
		}
		if end.stops && response.Header.Get("x-should-retry") != "false" {
			t.Errorf("the headers are %v", response.Header)
		}
	}
}
