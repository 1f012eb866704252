package tripgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"libtrip.example/trip"
	"libtrip.example/trip/tripgrpc"
)

func Example() {
	tracker, err := trip.NewTracker(trip.Config{FailureThreshold: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer tracker.Close()
	connection, err := grpc.NewClient("127.0.0.1:1", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(tripgrpc.UnaryClientInterceptor(tracker)),
		grpc.WithStreamInterceptor(tripgrpc.StreamClientInterceptor(tracker)))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()

	client := grpc_health_v1.NewHealthClient(connection)
	for range 2 { // nobody listens there
		_, err = client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
		fmt.Println(status.Code(err), errors.Is(err, trip.ErrOpen))
	}
	// Output:
	// Unavailable false
	// Unavailable true
}

// The server of a program that is refused by its own provider tells its clients when to come back.
func ExampleUnaryServerInterceptor() {
	server := grpc.NewServer(
		grpc.UnaryInterceptor(tripgrpc.UnaryServerInterceptor()),
		grpc.StreamInterceptor(tripgrpc.StreamServerInterceptor()))
	defer server.Stop()
}
