// This file owns what a program may say of its requests: whose they are, who is asked, what an answer means.

package triphttp

import (
	"net/http"
	"strings"
	"time"

	"libtrip.example/trip"
)

// Option is what a program says of its requests to [NewRoundTripper]. Their functions may be called by several
// goroutines at once; nil leaves it as it is without the option.
type Option func(*RoundTripper)

// WithTenant says whose request it is; without it the tenant is "", as it is in Python. A function usually looks into
// the request's context.
func WithTenant(tenant func(*http.Request) string) Option {
	return func(t *RoundTripper) {
		if tenant != nil {
			t.tenant = tenant
		}
	}
}

// WithProvider says who is asked; without it that is the request's host, in lower case, with its port unless that is
// the scheme's own.
func WithProvider(provider func(*http.Request) string) Option {
	return func(t *RoundTripper) {
		if provider != nil {
			t.provider = provider
		}
	}
}

// WithClassifier says how a call went that has brought a response; without it that is [Classify]. The body is as much
// of it as there is to judge by: the first 64 KiB, of an event stream one event, and nothing where it is compressed or
// no text. A response of 200 to 299 is judged when its body has ended, and an event of its stream when it speaks of an
// error. The function must not read the response's body.
func WithClassifier(classify func(response *http.Response, body []byte) trip.CallOutcome) Option {
	return func(t *RoundTripper) {
		if classify != nil {
			t.classify = classify
		}
	}
}

// Classify is how a call went that has brought a response, by [trip.ClassifyHTTP]; a redirect, and 304, are an answer as
// it should be. How long the provider asks to wait
// is taken from the headers Retry-After-Ms, X-Ms-Retry-After-Ms and Retry-After, the first of them that says so, else
// from the body.
func Classify(response *http.Response, body []byte) trip.CallOutcome {
	if status := response.StatusCode; status >= 300 && status <= 399 {
		return trip.CallOutcome{Class: trip.ClassSuccess, HTTPStatus: status}
	}
	outcome := trip.ClassifyHTTP(response.StatusCode, body)
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms", "Retry-After"} {
		if value := response.Header.Get(name); value != "" {
			if wait, err := trip.ParseRetryHint(name, value, time.Now()); err == nil {
				outcome.RetryAfter = wait
				break
			}
		}
	}
	return outcome
}

func noTenant(*http.Request) string { return "" }

func hostOf(request *http.Request) string {
	if request.URL == nil {
		return ""
	}
	host := strings.ToLower(request.URL.Host)
	switch request.URL.Scheme {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	}
	return host
}
