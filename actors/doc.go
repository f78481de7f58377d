// Package actors is the front door of mtfleet: a [Manager] keeps many MTProto
// accounts signed in from one process.
//
//	m, err := actors.Open(actors.Options{Store: store, App: app, DCs: dc.Production()})
//	...
//	a, err := m.Add(ctx, "alice", actors.AccountOptions{})
//	step, err := a.SignIn(ctx, actors.Phone("+49 170 1234567"))
//	for err == nil && step != nil {
//		step, err = a.Answer(ctx, actors.Answer{Kind: actors.AnswerCode, Code: ask(step)})
//	}
//	users, err := actors.Invoke(ctx, a, &tg.UsersGetUsersRequest{ID: self})
//	for ev := range a.Events(ctx) { ... }
//	err = m.Close(ctx)
//
// Open claims the store and brings every account in it to where it was. Each
// account is an actor of its own below the Manager's, with a binding and a
// connection for each DC it uses; a panic in one of them leaves the others'
// connections untouched. ARCHITECTURE.md describes the tree.
//
// Everything that waits is injected: store, dialer, clock, randomness, logger,
// meters and tracers. The package keeps no global state.
package actors
