package handshake

import (
	"errors"
	"fmt"
)

// Step names a message of the handshake, the one that is being made, awaited or judged.
type Step uint8

// The steps, in order.
const (
	// StepReqPQ is req_pq_multi, client to server.
	StepReqPQ Step = iota + 1
	// StepResPQ is resPQ, server to client.
	StepResPQ
	// StepReqDHParams is req_DH_params, client to server. The client factors pq for it.
	StepReqDHParams
	// StepServerDHParams is server_DH_params_ok (or _fail), server to client.
	StepServerDHParams
	// StepSetClientDHParams is set_client_DH_params, client to server. The client exponentiates for it.
	StepSetClientDHParams
	// StepDHGen is dh_gen_ok, dh_gen_retry or dh_gen_fail, server to client.
	StepDHGen
)

// String is the message's name in the specification.
func (s Step) String() string {
	switch s {
	case StepReqPQ:
		return "req_pq"
	case StepResPQ:
		return "resPQ"
	case StepReqDHParams:
		return "req_DH_params"
	case StepServerDHParams:
		return "server_DH_params"
	case StepSetClientDHParams:
		return "set_client_DH_params"
	case StepDHGen:
		return "dh_gen"
	}
	return fmt.Sprintf("step %d", uint8(s))
}

// StepError ends a handshake: what was wrong, and at which message.
type StepError struct {
	// Step is the message that was refused, or that did not come.
	Step Step
	// Err is the cause: one of this package's errors, a *RefusedError, an error of crypt about the DH group, a
	// *tl.ParseError, or what the source of randomness said.
	Err error
}

// Error gives step and cause.
func (e *StepError) Error() string { return "handshake: " + e.Step.String() + ": " + e.Err.Error() }

// Unwrap gives the cause to errors.Is and errors.As.
func (e *StepError) Unwrap() error { return e.Err }

// RefusedError says that the other side answered with a transport error instead of a message.
type RefusedError struct {
	// Code is the negative number received: -404, -429, -444.
	Code int32
}

// Error gives the code.
func (e *RefusedError) Error() string { return fmt.Sprintf("refused with transport error %d", e.Code) }

// Causes of a StepError.
var (
	// ErrEnvelope: the packet is not a plain message: too short, an auth_key_id that is not 0, a length that does not fit.
	ErrEnvelope = errors.New("malformed plain packet")
	// ErrMsgID: the msg_id has the wrong low bits for its sender.
	ErrMsgID = errors.New("msg_id of the wrong kind")
	// ErrUnexpected: another message than the one awaited.
	ErrUnexpected = errors.New("unexpected message")
	// ErrNonce: the nonce is not the client's.
	ErrNonce = errors.New("nonce differs")
	// ErrServerNonce: the server_nonce is not the server's.
	ErrServerNonce = errors.New("server_nonce differs")
	// ErrPQ: pq is not the product of two distinct odd primes, or is 2^63 or more.
	ErrPQ = errors.New("pq is not the product of two odd primes")
	// ErrFactors: p and q are not the factors of pq in their shortest form, the smaller first.
	ErrFactors = errors.New("p and q are not the factors of pq")
	// ErrNoKey: none of the fingerprints belongs to a known RSA key.
	ErrNoKey = errors.New("no known RSA key")
	// ErrEncrypted: encrypted data has an impossible length, does not decrypt to what its hash says, or carries more than
	// padding behind it.
	ErrEncrypted = errors.New("encrypted data is not valid")
	// ErrServerTime: server_time is not a time.
	ErrServerTime = errors.New("server_time is not a time")
	// ErrNewNonceHash: the server did not prove that it knows the key.
	ErrNewNonceHash = errors.New("new_nonce_hash differs")
	// ErrRetryID: retry_id is not the aux hash of the key refused before.
	ErrRetryID = errors.New("retry_id differs")
	// ErrDC: the client speaks to another DC, environment or role than this one.
	ErrDC = errors.New("wrong dc")
	// ErrExpiry: expires_in is not a length of time.
	ErrExpiry = errors.New("expires_in is not positive")
	// ErrDeclined: the server, with proof of its identity, answered server_DH_params_fail or dh_gen_fail.
	ErrDeclined = errors.New("the server declined")
	// ErrRetries: dh_gen_retry came more often than is credible.
	ErrRetries = errors.New("too many dh_gen_retry")
	// ErrTimeout: the handshake did not end in time.
	ErrTimeout = errors.New("no answer in time")
	// ErrUnknown: the server has no handshake with these nonces: it never began, ended badly, or is older than ten minutes.
	ErrUnknown = errors.New("unknown handshake")
)
