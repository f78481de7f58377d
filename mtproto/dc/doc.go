// Package dc knows the data centres: their numbers, addresses and public keys.
//
// A [Table] is what a connection is chosen from. It begins as one of the
// built-in tables ([Production], [TestServers]) or as the operator's own, and
// [Table.Update] folds in the options the server sends with help.getConfig.
// [Table.Select] answers with the addresses to try, in order.
//
// Everything here is data and rules about data. The package dials nothing,
// resolves nothing, keeps no statistics about addresses, and imports none of
// the project's other packages: public keys are PEM texts to be parsed by
// whoever does the handshake.
package dc
