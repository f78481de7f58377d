package actors

import "github.com/mtfleet/mtfleet/mtproto/login"

// What a sign-in asks and is answered: the same for Go, the command line's JSON
// and the control API.
type (
	// Step is what a sign-in waits for.
	Step = login.Step
	// StepKind says what is to be done at a Step.
	StepKind = login.StepKind
	// StepType sorts the kinds, for those who show steps they do not know.
	StepType = login.StepType
	// Answer answers a Step.
	Answer = login.Answer
	// AnswerKind says what an Answer is.
	AnswerKind = login.AnswerKind
	// SignInError ends a sign-in, or refuses an answer.
	SignInError = login.Error
)

// The kinds of steps; login documents each.
const (
	StepPhone       = login.StepPhone
	StepCode        = login.StepCode
	StepNewCode     = login.StepNewCode
	StepFirebase    = login.StepFirebase
	StepPayment     = login.StepPayment
	StepSignUp      = login.StepSignUp
	StepEmail       = login.StepEmail
	StepEmailSetup  = login.StepEmailSetup
	StepPassword    = login.StepPassword
	StepRecovery    = login.StepRecovery
	StepNewPassword = login.StepNewPassword
	StepQR          = login.StepQR
	StepToken       = login.StepToken
	StepWebToken    = login.StepWebToken
	StepPasskey     = login.StepPasskey
	StepPNV         = login.StepPNV
	StepWait        = login.StepWait
	StepOver        = login.StepOver
)

// The types of steps.
const (
	TypeDisplay   = login.TypeDisplay
	TypeInput     = login.TypeInput
	TypeWebAuthn  = login.TypeWebAuthn
	TypeWaitUntil = login.TypeWaitUntil
	TypeExternal  = login.TypeExternal
	TypeDone      = login.TypeDone
	TypeFailed    = login.TypeFailed
)

// The kinds of answers; login documents each.
const (
	AnswerCode        = login.AnswerCode
	AnswerResend      = login.AnswerResend
	AnswerMissing     = login.AnswerMissing
	AnswerPhone       = login.AnswerPhone
	AnswerFirebase    = login.AnswerFirebase
	AnswerPaid        = login.AnswerPaid
	AnswerSignUp      = login.AnswerSignUp
	AnswerEmail       = login.AnswerEmail
	AnswerEmailToken  = login.AnswerEmailToken
	AnswerResetEmail  = login.AnswerResetEmail
	AnswerPassword    = login.AnswerPassword
	AnswerForgot      = login.AnswerForgot
	AnswerBack        = login.AnswerBack
	AnswerNewPassword = login.AnswerNewPassword
	AnswerNoPassword  = login.AnswerNoPassword
	AnswerToken       = login.AnswerToken
	AnswerPasskey     = login.AnswerPasskey
	AnswerPNV         = login.AnswerPNV
	AnswerCancel      = login.AnswerCancel
)
