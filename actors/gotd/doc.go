// Package gotd lets programs written for github.com/gotd/td use accounts that
// mtfleet keeps: its typed API, its update handlers and its errors stay, and
// its connections, sessions and sign-ins are mtfleet's.
//
//	account, err := manager.Account("echo")
//	...
//	api := tg.NewClient(gotd.Invoker(account))
//	dispatcher := tg.NewUpdateDispatcher()
//	dispatcher.OnNewMessage(func(ctx context.Context, e tg.Entities, u *tg.UpdateNewMessage) error {
//		...
//		_, err := message.NewSender(api).Reply(e, u).Text(ctx, text)
//		return err
//	})
//	err = gotd.Handle(ctx, account, dispatcher)
//
// It is a Go module of its own, so that nobody else downloads gotd, at the
// exact version that go.mod names. docs/from-gotd.md says what changes for a
// gotd program, and example/ holds one before and after the change.
package gotd
