// Package security is what the owner of a signed-in account can do about its
// safety: its two-step password, its sessions, its passkeys, the sign-ins it
// lets in and hears of. It is pure: it reads what the server answers, computes
// what a password proves, and says in words what a refusal means. Who asks, and
// when, is actors.
//
// A password's proof and a new verifier take tens of milliseconds: they are
// computed where the caller waits, never in an actor.
package security
