// Package crypt is the arithmetic of MTProto 2.0: AES-IGE, the message key and the key derivations built on it,
// auth keys, RSA_PAD, the Diffie-Hellman group with its checks, SRP for two-step passwords, and the factorisation of pq.
//
// It is not a protocol: it knows neither TL nor messages nor time, keeps no state between calls and starts nothing.
// Randomness comes in as an io.Reader; everything it returns is owned by the caller. A value of any exported type may be
// used from several goroutines at once, because none of them changes after it was made (AuthKey.Wipe is the exception).
//
// Some functions are heavy and belong on a worker pool, never in an event loop: Group.Exp and Group.ExpG (milliseconds),
// Factorize (half a millisecond), CheckGroup (a quarter of a second) and what SRPAlgo does (tens of milliseconds).
// RSAUnpad costs about a millisecond.
//
// Secrets (AuthKey, PrivateKey) print as their public identifier under every verb of fmt and every encoder that honours
// encoding.TextMarshaler, so that a careless log line gives nothing away.
//
// Sources: https://core.telegram.org/mtproto/description, https://core.telegram.org/mtproto/auth_key,
// https://core.telegram.org/api/pfs.
package crypt
