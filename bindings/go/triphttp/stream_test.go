// These tests own what the end of a body counts as: of streams, of documents, and of bodies nobody ends.

package triphttp_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"libtrip.example/trip"
)

func TestAStreamIsRecordedWhenItEnds(t *testing.T) {
	for major, newRig := range []func(*testing.T, trip.Config, handler) *rig{
		1: func(t *testing.T, config trip.Config, answer handler) *rig { return newRig(t, config, answer) },
		2: newHTTP2Rig,
	} {
		if newRig == nil {
			continue
		}
		t.Run(fmt.Sprint("HTTP/", major), func(t *testing.T) {
			t.Run("at its end a success", func(t *testing.T) {
				r := newRig(t, trip.Config{}, streams("ends", token, token))
				response := r.open()
				if response.ProtoMajor != major {
					t.Fatalf("this is %s", response.Proto)
				}
				r.want(counts{out: 1})
				io.Copy(io.Discard, response.Body)
				r.want(counts{successes: 1})
				response.Body.Close()
				r.want(counts{successes: 1})
			})
			t.Run("cut midway one failure", func(t *testing.T) {
				r := newRig(t, trip.Config{}, streams("cuts", token, token))
				response := r.open()
				if _, err := io.ReadAll(response.Body); err == nil {
					t.Error("nobody noticed")
				}
				response.Body.Close()
				r.want(counts{failures: 1})
			})
			t.Run("closed early one cancel", func(t *testing.T) {
				r := newRig(t, trip.Config{}, streams("waits", token, token))
				response := r.open()
				readFirst(t, response.Body, "content")
				response.Body.Close()
				response.Body.Close()
				r.want(counts{cancels: 1})
			})
			t.Run("closed before its first token one cancel", func(t *testing.T) {
				r := newRig(t, trip.Config{}, streams("waits", ": ping\n\n"))
				r.open().Body.Close()
				r.want(counts{cancels: 1})
			})
		})
	}
}

func TestAStreamWhoseContextEndsIsJudgedByHow(t *testing.T) {
	for name, end := range map[string]struct {
		context func() (context.Context, context.CancelFunc)
		want    counts
	}{
		"cancelled": {func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) },
			counts{cancels: 1}},
		"late": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 200*time.Millisecond)
		}, counts{failures: 1}},
	} {
		for _, isRead := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t, trip.Config{}, streams("waits", token))
				ctx, cancel := end.context()
				defer cancel()
				request, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL, nil)
				response, err := r.client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				readFirst(t, response.Body, "content")
				if name == "cancelled" {
					cancel()
				}
				<-ctx.Done()
				if isRead {
					if _, err := io.ReadAll(response.Body); err == nil {
						t.Error("nobody noticed")
					}
				}
				response.Body.Close()
				r.want(end.want)
			})
		}
	}
}

func TestTheTimeoutOfAClientIsAFailure(t *testing.T) {
	r := newRig(t, trip.Config{}, streams("waits", token))
	r.client.Timeout = 200 * time.Millisecond
	if _, err := r.read(); err == nil {
		t.Error("nobody noticed")
	}
	r.want(counts{failures: 1})
}

func TestAStreamIsWholeWithItsLastEvent(t *testing.T) {
	for name, last := range map[string]string{
		"chat completions":       "data: [DONE]\n\n",
		"without a space":        "data:[DONE]\n\n",
		"with carriage returns":  "data: [DONE]\r\n\r\n",
		"messages":               "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		"responses":              "event: response.completed\ndata: {}\n\n",
		"responses, cut short":   "event: response.incomplete\ndata: {}\n\n",
		"together with a token":  token + "data: [DONE]\n\n",
		"after a very long line": "data: " + strings.Repeat("x", 200_000) + "\n\ndata: [DONE]\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, trip.Config{}, streams("waits", token, last))
			response := r.open()
			readFirst(t, response.Body, strings.SplitAfter(last, "\n")[strings.Count(last, "\n")-2])
			response.Body.Close()
			r.want(counts{successes: 1})
		})
	}
	t.Run("though the connection is cut behind it", func(t *testing.T) {
		r := newRig(t, trip.Config{}, streams("cuts", token, "data: [DONE]\n\n"))
		if _, err := r.read(); err == nil {
			t.Error("it was not cut")
		}
		r.want(counts{successes: 1})
	})
	t.Run("not when a token says so", func(t *testing.T) {
		r := newRig(t, trip.Config{}, streams("waits", "data: \"data: [DONE]\"\n\n", token))
		response := r.open()
		readFirst(t, response.Body, "content")
		response.Body.Close()
		r.want(counts{cancels: 1})
	})
}

func TestAnErrorInAStreamCountsOnceAndAtOnce(t *testing.T) {
	for name, event := range map[string]string{
		"Anthropic's": "event: error\ndata: {\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
		"OpenAI's":    "data: {\"error\": {\"code\": \"server_error\", \"message\": \"The server had an error\"}}\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			far := strings.Repeat(token, 1100)                       // further than one body is ever judged
			long := "data: " + strings.Repeat("x", 100_000) + "\n\n" // longer than any that is judged
			r := newRig(t, trip.Config{}, streams("waits", far, long, event))
			response := r.open()
			readFirst(t, response.Body, "\"message\"")
			for r.counts().out > 0 {
				response.Body.Read(make([]byte, 1))
			}
			r.want(counts{failures: 1})
			response.Body.Close()
			r.want(counts{failures: 1})
		})
	}
}

func TestAProbeSucceedsWithItsFirstToken(t *testing.T) {
	broken := true
	r := newRig(t, trip.Config{FailureThreshold: 1}, func(w http.ResponseWriter, request *http.Request) {
		if broken {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		streams("waits", token)(w, request)
	})
	r.open().Body.Close()
	r.want(counts{failures: 1})
	broken = false
	r.tracker.Advance(time.Minute)
	response := r.open()
	defer response.Body.Close()
	readFirst(t, response.Body, "content")
	if info, err := r.circuit().Inspect(); err != nil || info.State != trip.StateClosed {
		t.Errorf("inspected %+v, %v", info, err)
	}
}

func TestADocumentIsWholeWithItsLastBracket(t *testing.T) {
	const answer = `{"choices": [{"text": "a \"quoted\\\" }"}], "n": [1, [2]]}`
	packed := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		packer := gzip.NewWriter(w)
		io.WriteString(packer, answer)
		packer.Close()
	}
	flushed := func(w http.ResponseWriter, request *http.Request) {
		says(http.StatusOK, "application/json", answer)(w, request)
		w.(http.Flusher).Flush() // so that its length is unknown
	}
	for name, r := range map[string]*rig{
		"of known length":  newRig(t, trip.Config{}, says(http.StatusOK, "application/json", answer)),
		"of unknown":       newRig(t, trip.Config{}, flushed),
		"packed":           newRig(t, trip.Config{}, packed),
		"HTTP/2":           newHTTP2Rig(t, trip.Config{}, flushed),
		"HTTP/2 and known": newHTTP2Rig(t, trip.Config{}, says(http.StatusOK, "application/json", answer)),
	} {
		t.Run(name, func(t *testing.T) {
			response := r.open()
			var value any
			if err := json.NewDecoder(response.Body).Decode(&value); err != nil {
				t.Error(err)
			}
			response.Body.Close()
			r.want(counts{successes: 1})
		})
	}
}

func TestADocumentThatIsGivenUpHasToldNothing(t *testing.T) {
	for name, answer := range map[string]string{
		"half a value":             `{"choices": ["}"`,
		"a second value has begun": `{"progress": 1} {"progress": 2`,
		"no JSON":                  "forty-two",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, trip.Config{}, func(w http.ResponseWriter, request *http.Request) {
				says(http.StatusOK, "application/json", answer)(w, request)
				w.(http.Flusher).Flush()
				<-request.Context().Done()
			})
			response := r.open()
			io.ReadFull(response.Body, make([]byte, len(answer)))
			response.Body.Close()
			r.want(counts{cancels: 1})
		})
	}
	t.Run("but who reads nothing has got the status", func(t *testing.T) {
		r := newRig(t, trip.Config{}, says(http.StatusOK, "application/json", "{}"))
		r.open().Body.Close()
		r.want(counts{successes: 1})
	})
	t.Run("unless nobody waits for it any more", func(t *testing.T) {
		r := newRig(t, trip.Config{}, says(http.StatusOK, "application/json", "{}"))
		ctx, cancel := context.WithCancel(context.Background())
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL, nil)
		response, err := r.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		response.Body.Close()
		r.want(counts{cancels: 1})
	})
}

func TestABodyThatIsNeverClosedIsAForgottenPermit(t *testing.T) {
	r := newRig(t, trip.Config{}, streams("waits", token))
	readFirst(t, r.open().Body, "content")
	for range 200 {
		runtime.GC()
		if r.counts().drops == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.want(counts{drops: 1})
}

func TestABodyMayBeClosedWhileItIsRead(t *testing.T) {
	r := newRig(t, trip.Config{}, streams("waits", token))
	response := r.open()
	ended := make(chan error)
	go func() {
		_, err := io.ReadAll(response.Body)
		ended <- err
	}()
	response.Body.Close()
	if err := <-ended; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("reading ended with %v", err)
	}
	r.want(counts{cancels: 1})
}
