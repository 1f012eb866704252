// These tests own what calls over gRPC count as: a real server on the loopback interface, gRPC's own test service, and
// a client with circuits before it.

package tripgrpc_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"libtrip.example/trip"
	"libtrip.example/trip/tripgrpc"
)

// A service answers as a test tells it to.
type service struct {
	pb.UnimplementedTestServiceServer
	unary  func(context.Context) error
	stream func(pb.TestService_StreamingOutputCallServer) error
}

func (s *service) UnaryCall(ctx context.Context, _ *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	return &pb.SimpleResponse{}, s.unary(ctx)
}

func (s *service) StreamingOutputCall(_ *pb.StreamingOutputCallRequest,
	stream pb.TestService_StreamingOutputCallServer) error {
	return s.stream(stream)
}

func (s *service) StreamingInputCall(stream pb.TestService_StreamingInputCallServer) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return stream.SendAndClose(&pb.StreamingInputCallResponse{})
		}
	}
}

// A rig is a client with circuits before it, and the server that it calls.
type rig struct {
	*testing.T
	*service
	tracker *trip.Tracker
	server  *grpc.Server
	address string
	client  pb.TestServiceClient
}

func newRig(t *testing.T, config trip.Config, options ...tripgrpc.Option) *rig {
	t.Helper()
	config.Clock = trip.ClockManual
	tracker, err := trip.NewTracker(config)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, service: &service{}, tracker: tracker}
	r.server = grpc.NewServer(grpc.UnaryInterceptor(tripgrpc.UnaryServerInterceptor()),
		grpc.StreamInterceptor(tripgrpc.StreamServerInterceptor()))
	pb.RegisterTestServiceServer(r.server, r.service)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.address = listener.Addr().String()
	go r.server.Serve(listener)
	connection, err := grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(tripgrpc.UnaryClientInterceptor(tracker, options...)),
		grpc.WithStreamInterceptor(tripgrpc.StreamClientInterceptor(tracker, options...)))
	if err != nil {
		t.Fatal(err)
	}
	r.client = pb.NewTestServiceClient(connection)
	t.Cleanup(func() {
		connection.Close()
		r.server.Stop()
		tracker.Close()
	})
	return r
}

// counts are those of a circuit; out are the permits that are not settled.
type counts struct{ successes, failures, cancels, drops, refused, out uint64 }

func (r *rig) counts() counts {
	r.Helper()
	circuit, err := r.tracker.Circuit("", r.address)
	if err != nil {
		r.Fatal(err)
	}
	info, err := circuit.Inspect()
	if err != nil {
		r.Fatal(err)
	}
	return counts{
		successes: info.Successes, failures: info.FailuresTotal, cancels: info.Cancels, drops: info.Drops,
		refused: info.Rejections, out: info.Permits - info.Successes - info.FailuresTotal - info.Cancels - info.Drops,
	}
}

func (r *rig) want(want counts) {
	r.Helper()
	if got := r.counts(); got != want {
		r.Errorf("counted %+v, expected %+v", got, want)
	}
}

func (r *rig) ask(ctx context.Context) error {
	_, err := r.client.UnaryCall(ctx, &pb.SimpleRequest{})
	return err
}

func (r *rig) open(ctx context.Context) pb.TestService_StreamingOutputCallClient {
	r.Helper()
	stream, err := r.client.StreamingOutputCall(ctx, &pb.StreamingOutputCallRequest{})
	if err != nil {
		r.Fatal(err)
	}
	return stream
}

// tokens sends so many messages, and then ends as it is told.
func tokens(count int, end func(context.Context) error) func(pb.TestService_StreamingOutputCallServer) error {
	return func(stream pb.TestService_StreamingOutputCallServer) error {
		for range count {
			if err := stream.Send(&pb.StreamingOutputCallResponse{}); err != nil {
				return err
			}
		}
		return end(stream.Context())
	}
}

func says(err error) func(context.Context) error { return func(context.Context) error { return err } }

func waits(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }

func TestACodeIsOfAClass(t *testing.T) {
	success, failure, nothing := counts{successes: 1}, counts{failures: 1}, counts{cancels: 1}
	for code, want := range map[codes.Code]counts{
		codes.OK:                 success,
		codes.Canceled:           nothing,
		codes.Unknown:            failure,
		codes.InvalidArgument:    success,
		codes.DeadlineExceeded:   failure,
		codes.NotFound:           success,
		codes.AlreadyExists:      success,
		codes.PermissionDenied:   success,
		codes.ResourceExhausted:  failure,
		codes.FailedPrecondition: success,
		codes.Aborted:            success,
		codes.OutOfRange:         success,
		codes.Unimplemented:      success,
		codes.Internal:           failure,
		codes.Unavailable:        failure,
		codes.DataLoss:           failure,
		codes.Unauthenticated:    success,
		codes.Code(99):           failure,
	} {
		t.Run(code.String(), func(t *testing.T) {
			r := newRig(t, trip.Config{})
			r.unary = says(status.Error(code, "because"))
			if err := r.ask(context.Background()); status.Code(err) != code {
				t.Errorf("the call ended with %v", err)
			}
			r.want(want)
		})
	}
}

func TestTheProviderSaysHowLongToStayAway(t *testing.T) {
	r := newRig(t, trip.Config{FailureThreshold: 1})
	limited, err := status.New(codes.ResourceExhausted, "slow down").WithDetails(
		&errdetails.RetryInfo{RetryDelay: durationpb.New(77 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	r.unary = says(limited.Err())
	if err := r.ask(context.Background()); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the call ended with %v", err)
	}
	err = r.ask(context.Background())
	var open *trip.OpenError
	if !errors.As(err, &open) || open.RetryAfter != 77*time.Second || !errors.Is(err, trip.ErrOpen) {
		t.Fatalf("the second call ended with %v", err)
	}
	wantRetryInfo(t, err, 77*time.Second)
	if _, err := r.client.StreamingOutputCall(context.Background(), &pb.StreamingOutputCallRequest{}); !errors.Is(
		err, trip.ErrOpen) {
		t.Errorf("a stream: %v", err)
	}
	r.want(counts{failures: 1, refused: 2})
}

func wantRetryInfo(t *testing.T, err error, want time.Duration) {
	t.Helper()
	told := status.Convert(err)
	if told.Code() != codes.Unavailable || len(told.Details()) != 1 {
		t.Fatalf("the status is %v", told)
	}
	info, isInfo := told.Details()[0].(*errdetails.RetryInfo)
	if !isInfo || info.GetRetryDelay().AsDuration() != want {
		t.Errorf("the details are %v", told.Details())
	}
}

func TestADetailMaySayThatAQuotaIsUsedUp(t *testing.T) {
	exhausted := status.New(codes.ResourceExhausted, "no more")
	daily, err := exhausted.WithDetails(&errdetails.QuotaFailure{
		Violations: []*errdetails.QuotaFailure_Violation{{QuotaId: "RequestsPerDayPerProject"}}})
	if err != nil {
		t.Fatal(err)
	}
	reason, err := exhausted.WithDetails(&errdetails.ErrorInfo{Reason: "insufficient_quota"})
	if err != nil {
		t.Fatal(err)
	}
	for want, told := range map[trip.Class][]error{
		trip.ClassQuota:       {daily.Err(), reason.Err()},
		trip.ClassRateLimited: {exhausted.Err()},
		trip.ClassOverloaded:  {status.Error(codes.Unavailable, "the model is overloaded")},
		trip.ClassNetwork:     {io.ErrUnexpectedEOF},
		trip.ClassSuccess:     {nil},
	} {
		for _, err := range told {
			if got := tripgrpc.Classify(err); got.Class != want || got.HTTPStatus != 0 {
				t.Errorf("%v is %+v, not %v", err, got, want)
			}
		}
	}
}

func TestAUnaryCallEndsWithItsContext(t *testing.T) {
	r := newRig(t, trip.Config{})
	begun := make(chan struct{})
	r.unary = func(ctx context.Context) error { close(begun); return waits(ctx) }
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-begun; cancel() }()
	if err := r.ask(ctx); status.Code(err) != codes.Canceled {
		t.Errorf("the call ended with %v", err)
	}
	r.want(counts{cancels: 1})

	r.unary = waits
	late, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := r.ask(late); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("the call ended with %v", err)
	}
	r.want(counts{cancels: 1, failures: 1})
}

func TestACallerWhoHasGivenUpLearnsNothingFromWhatComesThen(t *testing.T) {
	r := newRig(t, trip.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	gone := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
		cancel()
		return status.Error(codes.Unavailable, "gone")
	}
	toServer := tripgrpc.WithProvider(func(string, string) string { return r.address })
	err := tripgrpc.UnaryClientInterceptor(r.tracker, toServer)(ctx, "/m", nil, nil, nil, gone)
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the call ended with %v", err)
	}
	r.want(counts{cancels: 1})
}

func TestAServerThatCannotBeReachedFails(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.server.Stop()
	if err := r.ask(context.Background()); status.Code(err) != codes.Unavailable {
		t.Errorf("the call ended with %v", err)
	}
	r.want(counts{failures: 1})
}

func TestAStreamIsRecordedWhenItEnds(t *testing.T) {
	for name, end := range map[string]struct {
		how  func(context.Context) error
		code codes.Code
		want counts
	}{
		"well":        {says(nil), codes.OK, counts{successes: 1}},
		"broken":      {says(status.Error(codes.Unavailable, "gone")), codes.Unavailable, counts{failures: 1}},
		"by mistake":  {says(status.Error(codes.InvalidArgument, "no")), codes.InvalidArgument, counts{successes: 1}},
		"by our fall": {says(&trip.OpenError{Reason: trip.ErrOpen}), codes.Unavailable, counts{failures: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, trip.Config{})
			r.stream = tokens(3, end.how)
			stream := r.open(context.Background())
			r.want(counts{out: 1})
			for range 3 {
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			_, err := stream.Recv()
			if end.code == codes.OK && err != io.EOF || end.code != codes.OK && status.Code(err) != end.code {
				t.Errorf("the stream ended with %v", err)
			}
			stream.Recv()
			r.want(end.want)
		})
	}
}

func TestAStreamThatIsCutIsOneFailure(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.stream = tokens(1, waits)
	stream := r.open(context.Background())
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	r.server.Stop()
	if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	r.want(counts{failures: 1})
}

func TestAStreamThatIsGivenUpIsOneCancelThoughNobodyReadsOn(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.stream = tokens(1, waits)
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := r.open(ctx).Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for r.counts().out > 0 { // by a goroutine of the context's
		time.Sleep(time.Millisecond)
	}
	r.want(counts{cancels: 1})
}

func TestTheHeaderOfAStreamThatIsOverInTimeIsAFailure(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.stream = tokens(0, waits)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if header, err := r.open(ctx).Header(); err == nil && header != nil {
		t.Errorf("the header is %v", header)
	}
	for r.counts().out > 0 {
		time.Sleep(time.Millisecond)
	}
	r.want(counts{failures: 1})
}

func TestAClientsStreamEndsWithTheOneAnswer(t *testing.T) {
	r := newRig(t, trip.Config{})
	stream, err := r.client.StreamingInputCall(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := stream.Send(&pb.StreamingInputCallRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	r.want(counts{out: 1})
	if _, err := stream.CloseAndRecv(); err != nil {
		t.Error(err)
	}
	r.want(counts{successes: 1})
}

func TestAProbeSucceedsWithItsFirstMessage(t *testing.T) {
	r := newRig(t, trip.Config{FailureThreshold: 1})
	r.unary, r.stream = says(status.Error(codes.Unavailable, "gone")), tokens(1, waits)
	r.ask(context.Background())
	r.tracker.Advance(time.Minute)
	if _, err := r.open(context.Background()).Recv(); err != nil {
		t.Fatal(err)
	}
	circuit, _ := r.tracker.Circuit("", r.address)
	if info, _ := circuit.Inspect(); info.State != trip.StateClosed {
		t.Errorf("inspected %+v", info)
	}
}

func TestAServerTellsItsClientOfARefusalWithinIt(t *testing.T) {
	r := newRig(t, trip.Config{})
	r.unary = says(&trip.OpenError{Reason: trip.ErrOpen, RetryAfter: 7 * time.Second})
	wantRetryInfo(t, r.ask(context.Background()), 7*time.Second)
	r.unary = says(&trip.ShedError{})
	if err := r.ask(context.Background()); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("the call ended with %v", err)
	}
}

func TestOptionsSayWhoseCallItIsAndWhoIsAsked(t *testing.T) {
	const method = "/grpc.testing.TestService/UnaryCall"
	r := newRig(t, trip.Config{},
		tripgrpc.WithTenant(func(_ context.Context, method string) string { return "acme" + method }),
		tripgrpc.WithProvider(func(target, method string) string { return target + method }),
		tripgrpc.WithClassifier(func(error) trip.CallOutcome { return trip.CallOutcome{Class: trip.ClassAuth} }),
		tripgrpc.WithTenant(nil), tripgrpc.WithProvider(nil), tripgrpc.WithClassifier(nil))
	r.unary = says(status.Error(codes.Internal, "oh"))
	r.ask(context.Background())
	circuit, _ := r.tracker.Circuit("acme"+method, r.address+method)
	if info, _ := circuit.Inspect(); info.Successes != 1 {
		t.Errorf("inspected %+v", info)
	}
}

func TestTheProviderIsTheTargetWithoutItsResolver(t *testing.T) {
	for target, provider := range map[string]string{
		"dns:///api.example.com:443":        "api.example.com:443",
		"dns:api.example.com":               "api.example.com",
		"passthrough:///127.0.0.1:50051":    "127.0.0.1:50051",
		"dns://1.1.1.1/api.example.com:443": "api.example.com:443",
		"unix:///run/model.sock":            "run/model.sock",
	} {
		tracker, _ := trip.NewTracker(trip.Config{})
		connection, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		intercept := tripgrpc.UnaryClientInterceptor(tracker)
		nobody := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
		if err := intercept(context.Background(), "/m", nil, nil, connection, nobody); err != nil {
			t.Error(err)
		}
		circuit, _ := tracker.Circuit("", provider)
		if info, _ := circuit.Inspect(); info.Permits != 1 {
			t.Errorf("%s does not ask %q", target, provider)
		}
		connection.Close()
		tracker.Close()
	}
}

func TestTheBreakerIsNeverTheOutage(t *testing.T) {
	reported := 0
	r := newRig(t, trip.Config{OnError: func(error) { reported++ }})
	r.unary, r.stream = says(nil), tokens(1, says(nil))
	r.tracker.Close()
	if err := r.ask(context.Background()); err != nil || reported != 1 {
		t.Errorf("%v, reported %d", err, reported)
	}
	stream := r.open(context.Background())
	for {
		if _, err := stream.Recv(); err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
	}
	nobody := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error { return nil }
	if err := tripgrpc.UnaryClientInterceptor(nil)(context.Background(), "", nil, nil, nil, nobody); err != nil {
		t.Errorf("without a tracker: %v", err)
	}
}
