// This file owns what a gRPC status means: it is put into the form in which the library knows Google's errors, and
// back.

package tripgrpc

import (
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"libtrip.example/trip"
)

// A form is how a code looks in an error of Google's APIs over HTTP, by google/rpc/code.proto. There is one that is
// otherwise there: who calls a method that does not exist has not found it, and its server works.
type form struct {
	http int
	name string
}

var forms = map[codes.Code]form{
	codes.Canceled:           {499, "CANCELLED"},
	codes.Unknown:            {500, "UNKNOWN"},
	codes.InvalidArgument:    {400, "INVALID_ARGUMENT"},
	codes.DeadlineExceeded:   {504, "DEADLINE_EXCEEDED"},
	codes.NotFound:           {404, "NOT_FOUND"},
	codes.AlreadyExists:      {409, "ALREADY_EXISTS"},
	codes.PermissionDenied:   {403, "PERMISSION_DENIED"},
	codes.ResourceExhausted:  {429, "RESOURCE_EXHAUSTED"},
	codes.FailedPrecondition: {400, "FAILED_PRECONDITION"},
	codes.Aborted:            {409, "ABORTED"},
	codes.OutOfRange:         {400, "OUT_OF_RANGE"},
	codes.Unimplemented:      {404, "UNIMPLEMENTED"},
	codes.Internal:           {500, "INTERNAL"},
	codes.Unavailable:        {503, "UNAVAILABLE"},
	codes.DataLoss:           {500, "DATA_LOSS"},
	codes.Unauthenticated:    {401, "UNAUTHENTICATED"},
}

// Classify is how a call went that has ended with the error, by [trip.ClassifyHTTP] of what the error's status looks
// like over HTTP: Unavailable, Internal, Unknown, DataLoss, DeadlineExceeded and ResourceExhausted are failures of the
// provider, Canceled tells nothing, all others are mistakes of the caller. A message or a detail may say more, such as
// that a quota is used up. How long the provider asks to wait is taken from a RetryInfo. An error without a status is
// classified by [trip.ClassifyError].
func Classify(err error) trip.CallOutcome {
	told, isStatus := status.FromError(err)
	if !isStatus {
		return trip.ClassifyError(err)
	}
	if told.Code() == codes.OK {
		return trip.CallOutcome{Class: trip.ClassSuccess}
	}
	like, isKnown := forms[told.Code()]
	if !isKnown { // which gRPC takes for Unknown
		like = forms[codes.Unknown]
	}
	outcome := trip.ClassifyHTTP(like.http, body(like, told))
	outcome.HTTPStatus = 0 // there was none
	if wait := retryDelay(told); wait > 0 {
		outcome.RetryAfter = wait
	}
	return outcome
}

// body is the error as Google's APIs tell it over HTTP, with the details that say more about a quota.
func body(like form, told *status.Status) []byte {
	type violation struct {
		QuotaID string `json:"quotaId"`
	}
	type detail struct {
		Reason     string      `json:"reason,omitempty"`
		Violations []violation `json:"violations,omitempty"`
	}
	var details []detail
	for _, any := range told.Details() {
		switch said := any.(type) {
		case *errdetails.ErrorInfo:
			details = append(details, detail{Reason: said.GetReason()})
		case *errdetails.QuotaFailure:
			quota := detail{}
			for _, one := range said.GetViolations() {
				quota.Violations = append(quota.Violations, violation{QuotaID: one.GetQuotaId()})
			}
			details = append(details, quota)
		}
	}
	text, _ := json.Marshal(map[string]any{"error": map[string]any{
		"status": like.name, "message": told.Message(), "details": details,
	}})
	return text
}

func retryDelay(told *status.Status) time.Duration {
	for _, any := range told.Details() {
		if info, ok := any.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}

// A refusal is an error of the library that is a status of gRPC too.
type refusal struct {
	error
	status *status.Status
}

func (r *refusal) Unwrap() error              { return r.error }
func (r *refusal) GRPCStatus() *status.Status { return r.status }

// refused gives an [*trip.OpenError] or a [*trip.ShedError] in the error the status of one who asks to come back later.
// Any other error is returned as it is, and so is one that has a status.
func refused(err error) error {
	if _, hasStatus := err.(interface{ GRPCStatus() *status.Status }); hasStatus {
		return err
	}
	var open *trip.OpenError
	switch {
	case errors.As(err, &open):
		told := status.New(codes.Unavailable, err.Error())
		detailed, failed := told.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(open.RetryAfter)})
		if failed == nil {
			told = detailed
		}
		return &refusal{err, told}
	case errors.Is(err, trip.ErrShed):
		return &refusal{err, status.New(codes.ResourceExhausted, err.Error())}
	}
	return err
}
