// This file owns the way of a request: permission, the request itself, and what is learned where there is no body to
// wait for. It changes neither request nor response beyond the response's body.

// Package triphttp puts circuits before the requests of an [http.Client], and so before the SDKs that use one:
//
//	tracker, err := trip.NewTracker(trip.Config{})
//	client := &http.Client{Transport: triphttp.NewRoundTripper(tracker, nil)}
//	response, err := client.Do(request) // errors.Is(err, trip.ErrOpen): refused, and nobody was asked
//
// The same client protects an SDK of OpenAI or Anthropic. What these retry by themselves each asks for a permit of its
// own; [StopRetries] keeps them from retrying a refusal:
//
//	openai.NewClient(option.WithHTTPClient(client), option.WithMiddleware(triphttp.StopRetries))
//
// # What is recorded, and when
//
//   - An error of the transport is of the class that [trip.ClassifyError] says, and cancels the permit where the caller
//     gave up, where the provider was not asked, or where the caller's own body could not be read.
//   - A response of 200 to 299 is judged when its body ends: at its end it is a success, unless it was an error object
//     or an event stream with one; where it breaks it is a failure; closed before its end, or with its context
//     cancelled, it has told nothing. A stream counts as whole with its last event, "[DONE]" or the like, and a JSON
//     document with its last bracket, for many programs close both without reading on; and where nothing of a body was
//     read that is no stream, its status is the answer.
//   - Any other response is judged before the caller sees it, by its status, the first 64 KiB of its body, which the
//     caller still gets whole, and its Retry-After. A redirect is a success, and so is 304: the provider is up.
//   - 101 Switching Protocols is a success. What follows is the caller's.
//   - A body that is never closed is a permit that was forgotten: see [trip.Permit].
package triphttp

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/admission"
)

// RoundTripper asks a circuit before each request. It may be used by any number of goroutines at once.
type RoundTripper struct {
	tracker  *trip.Tracker
	base     http.RoundTripper
	tenant   func(*http.Request) string
	provider func(*http.Request) string
	classify func(*http.Response, []byte) trip.CallOutcome
}

// NewRoundTripper makes a RoundTripper that asks the tracker's circuits, and has requests made by base;
// [http.DefaultTransport] where that is nil. The tracker stays the caller's to close.
func NewRoundTripper(tracker *trip.Tracker, base http.RoundTripper, options ...Option) *RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t := &RoundTripper{tracker: tracker, base: base, tenant: noTenant, provider: hostOf, classify: Classify}
	for _, option := range options {
		option(t)
	}
	return t
}

// RoundTrip makes a request if its circuit permits. A refusal is an [*trip.OpenError], which [http.Client] wraps; the
// request's body is closed then. Where the library fails the request is made unguarded, and the error reported to the
// tracker's Config.OnError.
func (t *RoundTripper) RoundTrip(request *http.Request) (*http.Response, error) {
	call, err := admission.Begin(t.tracker, t.tenant(request), t.provider(request))
	if err != nil {
		if request.Body != nil {
			request.Body.Close()
		}
		return nil, err
	}
	returns := false
	defer func() {
		if !returns {
			call.Drop()
		}
	}()
	sent := t.send(request)
	response, err := t.base.RoundTrip(sent.request)
	if err != nil {
		sent.failed(call, err)
	} else {
		t.learn(call, request, response)
	}
	if response != nil && response.Request == sent.request {
		response.Request = request
	}
	returns = true
	return response, err
}

// CloseIdleConnections closes those of the transport that makes the requests, if it has such a method.
func (t *RoundTripper) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// A sending is a request as the transport gets it: a copy that tells how far it came.
type sending struct {
	request *http.Request
	unasked atomic.Bool // no connection was asked for: the transport found fault with the request
	unread  atomic.Bool // the body of the request could not be read
}

func (t *RoundTripper) send(request *http.Request) *sending {
	sent := &sending{}
	ctx := request.Context()
	if _, tells := t.base.(*http.Transport); tells {
		sent.unasked.Store(true)
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GetConn: func(string) { sent.unasked.Store(false) },
			GotConn: func(httptrace.GotConnInfo) { sent.unasked.Store(false) }, // HTTP/2 may have told GetConn to another
		})
	}
	sent.request = request.WithContext(ctx)
	if request.Body != nil && request.Body != http.NoBody {
		sent.request.Body = upload{ReadCloser: request.Body, sent: sent}
	}
	return sent
}

// failed records an error of the transport.
func (s *sending) failed(call *admission.Call, err error) {
	if s.unasked.Load() || s.unread.Load() {
		call.Cancel()
		return
	}
	call.Fail(s.request.Context(), err)
}

// An upload is the body of a request.
type upload struct {
	io.ReadCloser
	sent *sending
}

func (u upload) Read(into []byte) (int, error) {
	n, err := u.ReadCloser.Read(into)
	if err != nil && err != io.EOF && !errors.Is(err, http.ErrBodyReadAfterClose) {
		u.sent.unread.Store(true)
	}
	return n, err
}

// learn records what the response tells already, and sees to it that the rest is recorded when its body ends.
func (t *RoundTripper) learn(call *admission.Call, request *http.Request, response *http.Response) {
	status := response.StatusCode
	_, isTwoWay := response.Body.(io.Writer)
	switch {
	case call.HasEnded():
	case status == http.StatusSwitchingProtocols || isTwoWay:
		call.End(trip.CallOutcome{Class: trip.ClassSuccess, HTTPStatus: status})
	case response.Body == nil || response.Body == http.NoBody || response.ContentLength == 0:
		call.End(t.classify(response, nil))
	case status >= 200 && status <= 299:
		response.Body = t.watch(call, request.Context(), response)
	default:
		call.End(t.classify(response, readAhead(response)))
	}
}
