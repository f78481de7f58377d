// Package webhook posts what happens to accounts to a URL: a durable consumer of a
// Manager that acknowledges an event when it was taken, or put aside as a dead
// letter.
//
// Messages and their signatures are those of Standard Webhooks
// (https://www.standardwebhooks.com): the headers webhook-id, webhook-timestamp and
// webhook-signature, and a body of {"type", "timestamp", "data"}, where data is an
// actors.EventJSON. Events of one account are sent one after the other, in order;
// those of different accounts in up to eight lanes side by side.
//
//	hook, err := webhook.New(webhook.Options{Manager: m, Name: "crm", URL: url, Secrets: secrets})
//	...
//	err = hook.Run(ctx)
//
// The target is https, or http to a loopback address, which is checked at each dial.
// Redirects are not followed, and no proxy is used.
package webhook
