// Command tlgen turns .tl schemas into Go: a struct for each constructor and function that the named roots
// reach, and the whole schema as a compact table for tl.Skip.
//
// Packages tl/mt and tl/tg run it through go generate; their file tlgen.txt says what they want:
//
//	package tg                 the package to write
//	schema api.tl              a schema file of tl/schema; may be repeated
//	root auth.*                a function, constructor or type to generate, with all it reaches; * ends a prefix
//	omit message               a definition that is not generated
//	hand msg_container         one that the package writes by hand, as a tl.Object
//	raw Update                 a type that stays tl.Raw wherever a field has it
//	view                       tl.Raw fields alias the input instead of copying it
//	table mtproto.tl gzip_packed   emit the table, with these definitions of another schema in it
//	pts Update except updateNewChannelMessage   emit the table of pts fields
//	layers layers.tl           emit what older layers have differently
//	policy policy.txt          emit which functions may be repeated, as this file judges every one of them
//	file users User UserStatus write the constructors of these types to gen_users.go
//	note auth.sentCode.timeout text       a comment for a field, or for a whole definition
//
// The output depends on nothing but these files: a test generates it again and compares.
package main
