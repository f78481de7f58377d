package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
)

// This file is about errors and JSON on the wire.

// codes are those of the Connect protocol.
var codes = map[Kind]connect.Code{
	KindNoAccount:   connect.CodeNotFound,
	KindNoConsumer:  connect.CodeNotFound,
	KindNoPeer:      connect.CodeNotFound,
	KindExists:      connect.CodeAlreadyExists,
	KindInvalid:     connect.CodeInvalidArgument,
	KindState:       connect.CodeFailedPrecondition,
	KindRefused:     connect.CodePermissionDenied,
	KindConfig:      connect.CodeFailedPrecondition,
	KindWait:        connect.CodeResourceExhausted,
	KindUnreachable: connect.CodeUnavailable,
	KindServer:      connect.CodeAborted,
	KindStore:       connect.CodeUnavailable,
	KindDamaged:     connect.CodeDataLoss,
	KindInUse:       connect.CodeUnavailable,
	KindMasterKey:   connect.CodeFailedPrecondition,
	KindStopped:     connect.CodeUnavailable,
	KindMayHaveRun:  connect.CodeUnknown,
	KindCanceled:    connect.CodeCanceled,
	KindInternal:    connect.CodeInternal,
	KindMoved:       connect.CodeUnavailable,
}

const kindPrefix = "ERROR_KIND_"

// wireError is an error as Connect has it, with its kind as a detail; nil stays nil.
func wireError(err error) error {
	var refused *connect.Error
	if err == nil || errors.As(err, &refused) {
		return err
	}
	e := Wrap(err).(*Error)
	out := connect.NewError(codeOf(e.Kind), errors.New(e.Message))
	if d, err := connect.NewErrorDetail(detailOf(e)); err == nil {
		out.AddDetail(d)
	}
	return out
}

func codeOf(k Kind) connect.Code {
	if code, known := codes[k]; known {
		return code
	}
	return connect.CodeInternal
}

// detailOf is what a code and a sentence do not say of an error.
func detailOf(e *Error) *mtfleetv1.ErrorDetail {
	detail := &mtfleetv1.ErrorDetail{
		Kind:  mtfleetv1.ErrorKind(mtfleetv1.ErrorKind_value[kindPrefix+strings.ToUpper(string(e.Kind))]),
		Until: stamp(e.Until),
	}
	if c := e.Call; c != nil {
		detail.Call = &mtfleetv1.CallFailure{
			Code: int32(c.Code), Type: c.Type, Argument: int32(c.Argument), Path: c.Path, RetryAt: stamp(c.RetryAt), MayHaveRun: c.MayHaveRun,
		}
	}
	return detail
}

// saidError is what wireError was made of.
func saidError(err *connect.Error) error {
	e := &Error{Kind: KindInternal, Message: err.Message()}
	for _, d := range err.Details() {
		v, valueErr := d.Value()
		detail, ok := v.(*mtfleetv1.ErrorDetail)
		if valueErr != nil || !ok {
			continue
		}
		e.Kind = KindOfWire(detail.GetKind())
		e.Until = moment(detail.GetUntil())
		if c := detail.GetCall(); c != nil {
			e.Call = &CallError{
				Code: int(c.GetCode()), Type: c.GetType(), Argument: int(c.GetArgument()), Path: c.GetPath(),
				RetryAt: moment(c.GetRetryAt()), MayHaveRun: c.GetMayHaveRun(),
			}
		}
		return e
	}
	// Said before a method was asked: of no such method, of who may not ask it, of a limit.
	switch err.Code() {
	case connect.CodeInvalidArgument:
		e.Kind = KindInvalid
	case connect.CodeCanceled:
		e.Kind = KindCanceled
	case connect.CodeUnauthenticated, connect.CodePermissionDenied:
		e.Kind = KindRefused
	case connect.CodeResourceExhausted:
		e.Kind = KindState
	default:
		e.Message = "the manager answered " + err.Error() + ": is it of the same version?"
	}
	return e
}

// KindOfWire is the kind as the schema has it.
func KindOfWire(k mtfleetv1.ErrorKind) Kind {
	return Kind(strings.ToLower(strings.TrimPrefix(k.String(), kindPrefix)))
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// jsonCodec writes fields under the schema's own names, as commands and docs have them; whoever reads JSON of protobuf reads
// both. A request that is not the message a method takes is refused, for a field that is not known too, and with no word of
// it, for a value may be a secret.
type jsonCodec struct{ name string }

var errNotTheMessage = errors.New("the request is not the JSON object this method takes")

// Name implements connect.Codec.
func (c jsonCodec) Name() string { return c.name }

// Marshal implements connect.Codec.
func (c jsonCodec) Marshal(v any) ([]byte, error) { return c.MarshalAppend(nil, v) }

// MarshalAppend spares Connect a copy.
func (jsonCodec) MarshalAppend(b []byte, v any) ([]byte, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(v.(proto.Message))
	if err != nil {
		return nil, err
	}
	// protojson puts spaces at random, so that nobody compares its texts; those of a terminal are compared.
	out := bytes.NewBuffer(b)
	err = json.Compact(out, text)
	return out.Bytes(), err
}

// Unmarshal implements connect.Codec.
func (jsonCodec) Unmarshal(b []byte, v any) error {
	if len(b) == 0 || protojson.Unmarshal(b, v.(proto.Message)) != nil {
		return errNotTheMessage
	}
	return nil
}

// IsBinary says that it is not.
func (jsonCodec) IsBinary() bool { return false }
