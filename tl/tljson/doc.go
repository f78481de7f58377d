// Package tljson turns TL values into JSON and back, with a schema and its names as data ([tl.Table], [tl.Names]): no
// type is generated for any of it, and nothing is looked up by reflection.
//
// # The form
//
// A value is an object that says its constructor first and then its fields, named as in the schema:
//
//		{"_":"messages.sendMessage","peer":{"_":"inputPeerSelf"},"message":"hi","random_id":"123"}
//
//	  - int is a number. long is a string of digits, because numbers beyond 2^53 do not survive most programs that read
//	    JSON; a number is read too, up to 2^53.
//	  - double is a number, or one of the strings "NaN", "Infinity" and "-Infinity". A NaN of other bits than the usual
//	    ones is written "NaN:" and its 16 hexadecimal digits.
//	  - string is a string. One that is not UTF-8 is {"base64":"..."}; that is read for any string.
//	  - bytes is a string in base64: the standard alphabet, padded.
//	  - int128 and int256 are their 16 or 32 bytes in hexadecimal, in the order they are sent.
//	  - Bool is true or false, wherever it stands.
//	  - Vector is an array, bare or boxed.
//	  - An optional field is there or not; null means not. A field of type true is true, or not there; false means not.
//	  - A word of flags is not written: its bits follow from what is there. Bits that no field of the schema stands for
//	    are kept as a number under the word's own name, so that nothing is lost.
//
// What is read must be exactly a value of the schema: an unknown or missing field, a field twice, a wrong type, a
// number out of range, a text after the value are refused with an *[Error] that says where. Reading and writing are
// each other's inverse: what [Codec.Append] wrote, [Codec.Parse] makes into the same bytes, provided that the strings
// of the value are in their short form and padded with zeros, as TL demands.
//
// # Bounds
//
// A text to read has at most [MaxText] bytes and [MaxNodes] values; boxed values are nested at most [tl.MaxDepth] deep
// in both directions. What is written is bounded by what is given: a constructor without fields, four bytes, takes
// less than a hundred, a byte of a string at most six.
//
// No error text quotes a value; names of fields and constructors are quoted, cut to 64 bytes.
package tljson
