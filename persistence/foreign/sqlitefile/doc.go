// Package sqlitefile reads the .session files of Telethon and of the Pyrogram family, which are SQLite databases. It is a
// package of its own so that only who reads such files carries an SQL engine.
//
// A file is opened for reading only. Where its program left a write-ahead log beside it, SQLite needs to make a
// shared-memory file there to read it, and takes it away again; otherwise nothing is written anywhere.
package sqlitefile
