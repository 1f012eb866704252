// This file owns what servers tell their clients of a refusal. It asks no circuit.

package tripgrpc

import (
	"context"

	"google.golang.org/grpc"
)

// UnaryServerInterceptor is for a server whose handlers make calls of their own: when one returns an [*trip.OpenError],
// the client is told Unavailable, with a RetryInfo that says when to come back; and ResourceExhausted of an
// [*trip.ShedError]. Without it gRPC would tell Unknown.
func UnaryServerInterceptor() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		answer, err := handle(ctx, request)
		return answer, refused(err)
	}
}

// StreamServerInterceptor is UnaryServerInterceptor for streams.
func StreamServerInterceptor() grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		return refused(handle(server, stream))
	}
}
