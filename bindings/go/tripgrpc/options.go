// This file owns what a program may say of its calls: whose they are, and who is asked.

package tripgrpc

import (
	"context"
	"net/url"

	"libtrip.example/trip"
)

// Option is what a program says of its calls to the client interceptors. Their functions may be called by several
// goroutines at once; nil leaves it as it is without the option.
type Option func(*interceptor)

// WithTenant says whose call it is; without it the tenant is "". Method is its full name, such as
// "/package.Service/Method".
func WithTenant(tenant func(ctx context.Context, method string) string) Option {
	return func(i *interceptor) {
		if tenant != nil {
			i.tenant = tenant
		}
	}
}

// WithProvider says who is asked; without it that is what the connection was made for, without the name of a resolver:
// "api.example.com:443" for a target of "dns:///api.example.com:443".
func WithProvider(provider func(target, method string) string) Option {
	return func(i *interceptor) {
		if provider != nil {
			i.provider = provider
		}
	}
}

// WithClassifier says how a call went that has ended with an error; without it that is [Classify]. It is not asked when
// the caller gave up.
func WithClassifier(classify func(error) trip.CallOutcome) Option {
	return func(i *interceptor) {
		if classify != nil {
			i.classify = classify
		}
	}
}

// An interceptor is what those of a client have in common.
type interceptor struct {
	tracker  *trip.Tracker
	tenant   func(ctx context.Context, method string) string
	provider func(target, method string) string
	classify func(error) trip.CallOutcome
}

func newInterceptor(tracker *trip.Tracker, options []Option) *interceptor {
	i := &interceptor{
		tracker:  tracker,
		tenant:   func(context.Context, string) string { return "" },
		provider: func(target, _ string) string { return endpoint(target) },
		classify: Classify,
	}
	for _, option := range options {
		option(i)
	}
	return i
}

func endpoint(target string) string {
	named, err := url.Parse(target)
	switch {
	case err != nil || named.Scheme == "":
		return target
	case len(named.Path) > 1 && named.Path[0] == '/':
		return named.Path[1:]
	case named.Opaque != "":
		return named.Opaque
	}
	return target
}
