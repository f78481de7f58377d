// Package schema reads .tl text into definitions and computes constructor ids from them.
//
// It holds the project's copy of the schemas as files: api.tl (layer 229 of the API), mtproto.tl (the service
// messages), layers.tl (where the sign-in path of older layers differs) and errors.json (the errors that the
// API documents, by method). The code generator tl/tlgen turns them into the packages tl/mt and tl/tg; running
// programs have no need of this package.
//
// # Constructor ids
//
// A constructor id is the CRC-32 of the definition's text after a normalisation (see [Definition.CRC]). The
// number written in a schema is nevertheless the truth: it is what is on the wire. In api.tl and mtproto.tl
// the two agree on all lines but five of api.tl, which TestConstructorIDs holds to be all:
//
//   - ipPortSecret was numbered with its bytes as bytes, not as string;
//   - accessPointRule and help.configSimple, which belong to the emergency configuration and not to the API, have
//     numbers that no spelling of their fields explains;
//   - inputPeerPhotoFileLocationLegacy and inputStickerSetThumbLegacy are old forms of constructors that live on,
//     and were numbered before they were renamed.
//
// Two lines of mtproto.tl have no number, because their values are only ever bare: message and rsa_public_key.
package schema
