// This file owns the calls of a client: permission, and how each ends. A call is ended once, whoever notices first.

// Package tripgrpc puts circuits before the calls of a gRPC client:
//
//	tracker, err := trip.NewTracker(trip.Config{})
//	connection, err := grpc.NewClient(target, credentials,
//		grpc.WithUnaryInterceptor(tripgrpc.UnaryClientInterceptor(tracker)),
//		grpc.WithStreamInterceptor(tripgrpc.StreamClientInterceptor(tracker)))
//
// A refusal is an [*trip.OpenError], and to gRPC a status of Unavailable with a RetryInfo. [Classify] says what the
// other statuses mean. A stream is a success at its end, a failure where it breaks, and tells nothing when its context
// is cancelled, which is how a client gives one up.
//
// A permit is asked for once for each call of the program. What gRPC retries by itself, by the service config or
// because no server has seen it, is below the interceptors: to the circuit it is one call, with the status that it ends
// with.
//
// [UnaryServerInterceptor] and [StreamServerInterceptor] are for servers whose handlers make calls of their own: they
// tell clients of a refusal in gRPC's words.
package tripgrpc

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"libtrip.example/trip"
	"libtrip.example/trip/internal/admission"
)

// UnaryClientInterceptor asks the tracker's circuits before each call. Where the library fails the call is made
// unguarded, and the error reported to the tracker's Config.OnError. The tracker stays the caller's to close.
func UnaryClientInterceptor(tracker *trip.Tracker, options ...Option) grpc.UnaryClientInterceptor {
	i := newInterceptor(tracker, options)
	return func(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn,
		invoke grpc.UnaryInvoker, callOptions ...grpc.CallOption) error {
		call, err := i.begin(ctx, connection, method)
		if err != nil {
			return err
		}
		defer call.Drop() // unless it returns
		err = invoke(ctx, method, request, reply, connection, callOptions...)
		i.end(ctx, call, err)
		return err
	}
}

// StreamClientInterceptor is UnaryClientInterceptor for streams. One whose permit is a probe has succeeded with its
// first message.
func StreamClientInterceptor(tracker *trip.Tracker, options ...Option) grpc.StreamClientInterceptor {
	i := newInterceptor(tracker, options)
	return func(ctx context.Context, description *grpc.StreamDesc, connection *grpc.ClientConn, method string,
		open grpc.Streamer, callOptions ...grpc.CallOption) (grpc.ClientStream, error) {
		call, err := i.begin(ctx, connection, method)
		if err != nil {
			return nil, err
		}
		returns := false
		defer func() {
			if !returns {
				call.Drop()
			}
		}()
		opened, err := open(ctx, description, connection, method, callOptions...)
		returns = true
		if err != nil {
			i.end(ctx, call, err)
			return nil, err
		}
		s := &stream{ClientStream: opened, interceptor: i, ctx: ctx, call: call, isMany: description.ServerStreams}
		// Who gives a stream up cancels its context, and need not look at it again.
		s.unwatch = context.AfterFunc(ctx, func() { i.end(ctx, call, ctx.Err()) })
		return s, nil
	}
}

func (i *interceptor) begin(ctx context.Context, connection *grpc.ClientConn, method string) (*admission.Call, error) {
	target := ""
	if connection != nil {
		target = connection.Target()
	}
	call, err := admission.Begin(i.tracker, i.tenant(ctx, method), i.provider(target, method))
	if err != nil {
		return nil, refused(err)
	}
	return call, nil
}

// end records how a call has ended that has no more to tell.
func (i *interceptor) end(ctx context.Context, call *admission.Call, err error) {
	switch {
	case err == nil:
		call.End(trip.CallOutcome{Class: trip.ClassSuccess})
	case ctx.Err() == context.Canceled, errors.Is(err, trip.ErrOpen), errors.Is(err, trip.ErrShed):
		call.Cancel()
	default:
		call.End(i.classify(err))
	}
}

// A stream is one of a client's. gRPC lets one goroutine send while another receives.
type stream struct {
	grpc.ClientStream
	*interceptor
	ctx     context.Context // the caller's: that of the stream is over when the stream is
	call    *admission.Call
	isMany  bool // the server sends more than one message
	unwatch func() bool
}

// ended records the end of the stream; io.EOF is a good one.
func (s *stream) ended(err error) {
	if err == io.EOF {
		err = nil
	}
	s.end(s.ctx, s.call, err)
	s.unwatch()
}

// Header waits for the server's, as that of the stream does.
func (s *stream) Header() (header metadata.MD, err error) {
	header, err = s.ClientStream.Header()
	if err != nil {
		s.ended(err)
	}
	return header, err
}

// SendMsg sends, as that of the stream does. With io.EOF the stream is over, and RecvMsg tells why.
func (s *stream) SendMsg(message any) error {
	err := s.ClientStream.SendMsg(message)
	if err != nil && err != io.EOF {
		s.ended(err)
	}
	return err
}

// RecvMsg receives, as that of the stream does.
func (s *stream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	switch {
	case err != nil:
		s.ended(err)
	case s.isMany:
		s.call.Progress()
	default:
		s.ended(io.EOF) // the one message and the status have come together
	}
	return err
}
