package schema

import "embed"

// Files holds api.tl, mtproto.tl, layers.tl and errors.json.
//
//go:embed api.tl mtproto.tl layers.tl errors.json
var Files embed.FS
