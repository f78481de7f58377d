package control

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/persistence"
)

// The methods of the API, by the services of its schema: what carries each, who does it over a manager of this process, and
// who over a store that no manager runs. The schema says what each is for.

// AccountService.
var (
	Add        = unary[mtfleetv1.AddRequest, mtfleetv1.AddResponse]("AccountService.Add", (*Local).Add, (*Direct).Add)
	List       = gathered(unary[mtfleetv1.ListRequest, mtfleetv1.ListResponse]("AccountService.List", (*Local).List, (*Direct).List), joinLists)
	Show       = unary[mtfleetv1.ShowRequest, mtfleetv1.ShowResponse]("AccountService.Show", (*Local).Show, (*Direct).Show)
	Timeline   = unary[mtfleetv1.TimelineRequest, mtfleetv1.TimelineResponse]("AccountService.Timeline", (*Local).Timeline, (*Direct).Timeline)
	Label      = unary[mtfleetv1.LabelRequest, mtfleetv1.LabelResponse]("AccountService.Label", (*Local).Label, edited((*Local).Label))
	Proxy      = unary[mtfleetv1.ProxyRequest, mtfleetv1.ProxyResponse]("AccountService.Proxy", (*Local).Proxy, edited((*Local).Proxy))
	Pause      = unary[mtfleetv1.PauseRequest, mtfleetv1.PauseResponse]("AccountService.Pause", (*Local).Pause, opened((*Local).Pause))
	Resume     = unary[mtfleetv1.ResumeRequest, mtfleetv1.ResumeResponse]("AccountService.Resume", (*Local).Resume, edited((*Local).Resume))
	Rotate     = unary[mtfleetv1.RotateRequest, mtfleetv1.RotateResponse]("AccountService.Rotate", (*Local).Rotate, connected((*Local).Rotate))
	ClearWait  = unary[mtfleetv1.ClearWaitRequest, mtfleetv1.ClearWaitResponse]("AccountService.ClearWait", (*Local).ClearWait, edited((*Local).ClearWait))
	RestoreKey = unary[mtfleetv1.RestoreKeyRequest, mtfleetv1.RestoreKeyResponse]("AccountService.RestoreKey", (*Local).RestoreKey, edited((*Local).RestoreKey))
	LogOut     = unary[mtfleetv1.LogOutRequest, mtfleetv1.LogOutResponse]("AccountService.LogOut", (*Local).LogOut, connected((*Local).LogOut))
	Remove     = unary[mtfleetv1.RemoveRequest, mtfleetv1.RemoveResponse]("AccountService.Remove", (*Local).Remove, opened((*Local).Remove))
	Import     = unary[mtfleetv1.ImportRequest, mtfleetv1.ImportResponse]("AccountService.Import", (*Local).Import, (*Direct).Import)
	Export     = unary[mtfleetv1.ExportRequest, mtfleetv1.ExportResponse]("AccountService.Export", (*Local).Export, opened((*Local).Export))
	TakeBack   = unary[mtfleetv1.TakeBackRequest, mtfleetv1.TakeBackResponse]("AccountService.TakeBack", (*Local).TakeBack, edited((*Local).TakeBack))
	Peers      = unary[mtfleetv1.PeersRequest, mtfleetv1.PeersResponse]("AccountService.Peers", (*Local).Peers, (*Direct).Peers)
	Call       = unary[mtfleetv1.CallRequest, mtfleetv1.CallResponse]("AccountService.Call", (*Local).Call, (*Direct).Call)
	Echo       = unary[mtfleetv1.EchoRequest, mtfleetv1.EchoResponse]("AccountService.Echo", (*Local).Echo, connected((*Local).Echo))
)

// SignInService.
var (
	SignIn   = unary[mtfleetv1.SignInRequest, mtfleetv1.SignInResponse]("SignInService.SignIn", (*Local).SignIn, connected((*Local).SignIn))
	Answer   = unary[mtfleetv1.AnswerRequest, mtfleetv1.AnswerResponse]("SignInService.Answer", (*Local).Answer, connected((*Local).Answer))
	Step     = unary[mtfleetv1.StepRequest, mtfleetv1.StepResponse]("SignInService.Step", (*Local).Step, connected((*Local).Step))
	AcceptQR = unary[mtfleetv1.AcceptQRRequest, mtfleetv1.AcceptQRResponse]("SignInService.AcceptQR", (*Local).AcceptQR, connected((*Local).AcceptQR))
)

// SecurityService.
var (
	TwoStep                 = unary[mtfleetv1.TwoStepRequest, mtfleetv1.TwoStepResponse]("SecurityService.TwoStep", (*Local).TwoStep, connected((*Local).TwoStep))
	ChangePassword          = unary[mtfleetv1.ChangePasswordRequest, mtfleetv1.ChangePasswordResponse]("SecurityService.ChangePassword", (*Local).ChangePassword, connected((*Local).ChangePassword))
	RecoveryEmail           = unary[mtfleetv1.RecoveryEmailRequest, mtfleetv1.RecoveryEmailResponse]("SecurityService.RecoveryEmail", (*Local).RecoveryEmail, connected((*Local).RecoveryEmail))
	ConfirmPasswordEmail    = unary[mtfleetv1.ConfirmPasswordEmailRequest, mtfleetv1.ConfirmPasswordEmailResponse]("SecurityService.ConfirmPasswordEmail", (*Local).ConfirmPasswordEmail, connected((*Local).ConfirmPasswordEmail))
	ResendPasswordEmail     = unary[mtfleetv1.ResendPasswordEmailRequest, mtfleetv1.ResendPasswordEmailResponse]("SecurityService.ResendPasswordEmail", (*Local).ResendPasswordEmail, connected((*Local).ResendPasswordEmail))
	CancelPasswordEmail     = unary[mtfleetv1.CancelPasswordEmailRequest, mtfleetv1.CancelPasswordEmailResponse]("SecurityService.CancelPasswordEmail", (*Local).CancelPasswordEmail, connected((*Local).CancelPasswordEmail))
	ResetPassword           = unary[mtfleetv1.ResetPasswordRequest, mtfleetv1.ResetPasswordResponse]("SecurityService.ResetPassword", (*Local).ResetPassword, connected((*Local).ResetPassword))
	DeclinePasswordReset    = unary[mtfleetv1.DeclinePasswordResetRequest, mtfleetv1.DeclinePasswordResetResponse]("SecurityService.DeclinePasswordReset", (*Local).DeclinePasswordReset, connected((*Local).DeclinePasswordReset))
	RequestPasswordRecovery = unary[mtfleetv1.RequestPasswordRecoveryRequest, mtfleetv1.RequestPasswordRecoveryResponse]("SecurityService.RequestPasswordRecovery", (*Local).RequestPasswordRecovery, connected((*Local).RequestPasswordRecovery))
	RecoverPassword         = unary[mtfleetv1.RecoverPasswordRequest, mtfleetv1.RecoverPasswordResponse]("SecurityService.RecoverPassword", (*Local).RecoverPassword, connected((*Local).RecoverPassword))
	Sessions                = unary[mtfleetv1.SessionsRequest, mtfleetv1.SessionsResponse]("SecurityService.Sessions", (*Local).Sessions, connected((*Local).Sessions))
	TerminateSession        = unary[mtfleetv1.TerminateSessionRequest, mtfleetv1.TerminateSessionResponse]("SecurityService.TerminateSession", (*Local).TerminateSession, connected((*Local).TerminateSession))
	ConfirmSession          = unary[mtfleetv1.ConfirmSessionRequest, mtfleetv1.ConfirmSessionResponse]("SecurityService.ConfirmSession", (*Local).ConfirmSession, connected((*Local).ConfirmSession))
	SetSessionsTTL          = unary[mtfleetv1.SetSessionsTTLRequest, mtfleetv1.SetSessionsTTLResponse]("SecurityService.SetSessionsTTL", (*Local).SetSessionsTTL, connected((*Local).SetSessionsTTL))
	Passkeys                = unary[mtfleetv1.PasskeysRequest, mtfleetv1.PasskeysResponse]("SecurityService.Passkeys", (*Local).Passkeys, connected((*Local).Passkeys))
	DeletePasskey           = unary[mtfleetv1.DeletePasskeyRequest, mtfleetv1.DeletePasskeyResponse]("SecurityService.DeletePasskey", (*Local).DeletePasskey, connected((*Local).DeletePasskey))
	InitPasskey             = unary[mtfleetv1.InitPasskeyRequest, mtfleetv1.InitPasskeyResponse]("SecurityService.InitPasskey", (*Local).InitPasskey, connected((*Local).InitPasskey))
	FinishPasskey           = unary[mtfleetv1.FinishPasskeyRequest, mtfleetv1.FinishPasskeyResponse]("SecurityService.FinishPasskey", (*Local).FinishPasskey, connected((*Local).FinishPasskey))
)

// UpdateService.
var (
	Events         = merged(streaming[mtfleetv1.EventsRequest, mtfleetv1.EventsResponse]("UpdateService.Events", (*Local).Events, noEvents[EventsRequest]), eventsFrom)
	Consume        = merged(streaming[mtfleetv1.ConsumeRequest, mtfleetv1.ConsumeResponse]("UpdateService.Consume", (*Local).Consume, noEvents[ConsumeRequest]), consumeFrom)
	Ack            = routed(unary[mtfleetv1.AckRequest, mtfleetv1.AckResponse]("UpdateService.Ack", (*Local).Ack, nobody[AckRequest, Empty](errNoEvents)), atRunOf)
	Consumers      = gathered(unary[mtfleetv1.ConsumersRequest, mtfleetv1.ConsumersResponse]("UpdateService.Consumers", (*Local).Consumers, alone((*Local).Consumers)), joinConsumers)
	RemoveConsumer = gathered(unary[mtfleetv1.RemoveConsumerRequest, mtfleetv1.RemoveConsumerResponse]("UpdateService.RemoveConsumer", (*Local).RemoveConsumer, alone((*Local).RemoveConsumer)), joinRemovals)
	Webhooks       = gathered(unary[mtfleetv1.WebhooksRequest, mtfleetv1.WebhooksResponse]("UpdateService.Webhooks", (*Local).Webhooks, nobody[Empty, WebhookList](errNoWebhooks)), joinWebhooks)
	DeadLetters    = unary[mtfleetv1.DeadLettersRequest, mtfleetv1.DeadLettersResponse]("UpdateService.DeadLetters", (*Local).DeadLetters, alone((*Local).DeadLetters))
	RetryWebhook   = unary[mtfleetv1.RetryWebhookRequest, mtfleetv1.RetryWebhookResponse]("UpdateService.RetryWebhook", (*Local).RetryWebhook, nobody[RetryRequest, RetryResult](errNoWebhooks))
)

// FleetService.
var (
	Info          = unary[mtfleetv1.InfoRequest, mtfleetv1.InfoResponse]("FleetService.Info", (*Local).Info, (*Direct).Info)
	Status        = gathered(unary[mtfleetv1.StatusRequest, mtfleetv1.StatusResponse]("FleetService.Status", (*Local).Status, (*Direct).Status), joinStatus)
	Governor      = gathered(unary[mtfleetv1.GovernorRequest, mtfleetv1.GovernorResponse]("FleetService.Governor", (*Local).Governor, (*Direct).Governor), joinPacing)
	Audit         = unary[mtfleetv1.AuditRequest, mtfleetv1.AuditResponse]("FleetService.Audit", (*Local).Audit, (*Direct).Audit)
	VerifyAudit   = unary[mtfleetv1.VerifyAuditRequest, mtfleetv1.VerifyAuditResponse]("FleetService.VerifyAudit", (*Local).VerifyAudit, (*Direct).VerifyAudit)
	Nodes         = unary[mtfleetv1.NodesRequest, mtfleetv1.NodesResponse]("FleetService.Nodes", (*Local).Nodes, (*Direct).Nodes)
	SetNodeWish   = unary[mtfleetv1.SetNodeWishRequest, mtfleetv1.SetNodeWishResponse]("FleetService.SetNodeWish", (*Local).SetNodeWish, (*Direct).SetNodeWish)
	Balance       = unary[mtfleetv1.BalanceRequest, mtfleetv1.BalanceResponse]("FleetService.Balance", (*Local).Balance, (*Direct).Balance)
	Rebalance     = unary[mtfleetv1.RebalanceRequest, mtfleetv1.RebalanceResponse]("FleetService.Rebalance", (*Local).Rebalance, (*Direct).Rebalance)
	WhoHas        = gathered(unary[mtfleetv1.WhoHasRequest, mtfleetv1.WhoHasResponse]("FleetService.WhoHas", (*Local).WhoHas, alone((*Local).WhoHas)), joinHolders)
	DashboardLink = unary[mtfleetv1.DashboardLinkRequest, mtfleetv1.DashboardLinkResponse]("FleetService.DashboardLink", (*Local).DashboardLink, nobody[Empty, Link](errNoLinks))
)

// StoreService.
var (
	Backup = unary[mtfleetv1.BackupRequest, mtfleetv1.BackupResponse]("StoreService.Backup", (*Local).Backup, alone((*Local).Backup))
	Verify = unary[mtfleetv1.VerifyRequest, mtfleetv1.VerifyResponse]("StoreService.Verify", (*Local).Verify, (*Direct).Verify)
	Space  = unary[mtfleetv1.SpaceRequest, mtfleetv1.SpaceResponse]("StoreService.Space", (*Local).Space, (*Direct).Space)
)

// methods lists them all; a test holds the list against the schema.
func methods() []*method {
	return []*method{
		Add.method, List.method, Show.method, Timeline.method, Label.method, Proxy.method, Pause.method, Resume.method, Rotate.method,
		ClearWait.method, RestoreKey.method, LogOut.method, Remove.method, Import.method, Export.method, TakeBack.method, Peers.method,
		Call.method, Echo.method,
		SignIn.method, Answer.method, Step.method, AcceptQR.method,
		TwoStep.method, ChangePassword.method, RecoveryEmail.method, ConfirmPasswordEmail.method, ResendPasswordEmail.method,
		CancelPasswordEmail.method, ResetPassword.method, DeclinePasswordReset.method, RequestPasswordRecovery.method,
		RecoverPassword.method, Sessions.method, TerminateSession.method, ConfirmSession.method, SetSessionsTTL.method,
		Passkeys.method, DeletePasskey.method, InitPasskey.method, FinishPasskey.method,
		Events.method, Consume.method, Ack.method, Consumers.method, RemoveConsumer.method, Webhooks.method, DeadLetters.method,
		RetryWebhook.method,
		Info.method, Status.method, Governor.method, DashboardLink.method, Audit.method, VerifyAudit.method, Nodes.method, SetNodeWish.method,
		Balance.method, Rebalance.method, WhoHas.method,
		Backup.method, Verify.method, Space.method,
	}
}

// reads reports whether the schema says that a method changes nothing.
func (m *method) reads() bool {
	options := m.schema.Options().(*descriptorpb.MethodOptions)
	return options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// role is the least that may call a method.
func (m *method) role() mtfleetv1.Role {
	if role := proto.GetExtension(m.schema.Options(), mtfleetv1.E_Role).(mtfleetv1.Role); role != mtfleetv1.Role_ROLE_UNSPECIFIED {
		return role
	}
	return mtfleetv1.Role_ROLE_ADMIN
}

// What a method does over a store that no manager runs, where that is not its own: a manager of the one account does it.

// named is a request that names an account.
type named interface{ account() string }

// making is a request that makes the account which it names.
type making interface{ makes() }

func (AddRequest) makes()    {}
func (ImportRequest) makes() {}

func (r AddRequest) account() string           { return r.ID }
func (r ImportRequest) account() string        { return r.ID }
func (r CallRequest) account() string          { return r.ID }
func (r PeersRequest) account() string         { return r.ID }
func (r AccountRequest) account() string       { return r.ID }
func (r StepRequest) account() string          { return r.ID }
func (r ClearWaitRequest) account() string     { return r.ID }
func (r ProxyRequest) account() string         { return r.ID }
func (r LabelRequest) account() string         { return r.ID }
func (r SignInRequest) account() string        { return r.ID }
func (r AnswerRequest) account() string        { return r.ID }
func (r RemoveRequest) account() string        { return r.ID }
func (r EchoRequest) account() string          { return r.ID }
func (r ExportRequest) account() string        { return r.ID }
func (r PasswordRequest) account() string      { return r.ID }
func (r RecoveryEmailRequest) account() string { return r.ID }
func (r CodeRequest) account() string          { return r.ID }
func (r RecoverRequest) account() string       { return r.ID }
func (r SessionRequest) account() string       { return r.ID }
func (r TerminateRequest) account() string     { return r.ID }
func (r TTLRequest) account() string           { return r.ID }
func (r AcceptRequest) account() string        { return r.ID }
func (r PasskeyRequest) account() string       { return r.ID }
func (r FinishPasskeyRequest) account() string { return r.ID }

// connected is for what asks a DC.
func connected[Req named, Resp any](local func(*Local, context.Context, Req) (Resp, error)) func(*Direct, context.Context, Req) (Resp, error) {
	return over(true, Req.account, local)
}

// opened is for what needs no connection.
func opened[Req named, Resp any](local func(*Local, context.Context, Req) (Resp, error)) func(*Direct, context.Context, Req) (Resp, error) {
	return over(false, Req.account, local)
}

// edited is opened for what shows the account then, as the store has it.
func edited[Req named](local func(*Local, context.Context, Req) (Account, error)) func(*Direct, context.Context, Req) (Account, error) {
	do := opened(local)
	return func(d *Direct, ctx context.Context, r Req) (Account, error) {
		if _, err := do(d, ctx, r); err != nil {
			return Account{}, err
		}
		return d.show(ctx, persistence.AccountID(r.account()))
	}
}

// alone is for what concerns no account: the manager has the store and starts nobody.
func alone[Req, Resp any](local func(*Local, context.Context, Req) (Resp, error)) func(*Direct, context.Context, Req) (Resp, error) {
	return over(false, func(Req) string { return noAccount }, local)
}

func over[Req, Resp any](dial bool, account func(Req) string, local func(*Local, context.Context, Req) (Resp, error)) func(*Direct, context.Context, Req) (Resp, error) {
	return func(d *Direct, ctx context.Context, r Req) (resp Resp, err error) {
		l, done, err := d.open(ctx, account(r), dial)
		if err != nil {
			return resp, err
		}
		defer done()
		return local(l, ctx, r)
	}
}

// nobody is for what only a manager that runs can do.
func nobody[Req, Resp any](why *Error) func(*Direct, context.Context, Req) (Resp, error) {
	return func(*Direct, context.Context, Req) (none Resp, _ error) { return none, why }
}
