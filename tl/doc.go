// Package tl reads and writes values of TL, the type language of MTProto.
//
// TL is not self-delimiting: without a schema nobody can tell where a value ends. So there are two ways to
// take a value from bytes. Generated types (packages tl/mt and tl/tg) know their own fields: they append
// themselves to a buffer and parse themselves from a [Reader]. Everything the project has no type for stays
// [Raw]: the exact bytes of one boxed value, which [Skip] cuts out with a [Table], the whole schema as data.
//
// Nothing here uses reflection, and nothing trusts its input. A Reader keeps its first error and answers
// zero values from then on, so a parser reads all its fields and asks once. What a Reader allocates is
// bounded by the bytes it was given: a length or a count that the rest of the input cannot hold is an error
// before it is a slice. All errors are a [*ParseError] around one of the causes below it.
//
// It is not a description of the schema (package tl/schema) and not the code generator (tl/tlgen).
//
// The wire format is at https://core.telegram.org/mtproto/serialize.
package tl
