// Package foreign reads and writes the records in which other MTProto libraries keep a login: their session strings,
// JSON, and the folders of Telegram Desktop and GramJS. It is for bringing one's own accounts in, and handing them out.
//
// All of these hold one thing that counts, the auth key of the account's home DC: 256 bytes, and whoever has them is
// signed in as the account. What else each of them carries, and what none of them does, is in docs/sessions.md.
//
//   - ParseText reads strings and JSON and finds out what they are; ParseTextAs is told. ParseDir reads folders, from an
//     fs.FS. SQLite files are read by persistence/foreign/sqlitefile, so that nobody else carries an SQL engine.
//   - Encode writes strings and JSON, EncodeDir a tdata folder.
//   - Nothing here says that a session is alive: only the server can (users.getUsers of oneself).
//
// The package is pure: no files, no clock, no network, no randomness of its own. Every error is an *Error or a
// *PasscodeError, and none of them repeats any part of the input.
package foreign
