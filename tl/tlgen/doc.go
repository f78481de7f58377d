// Command tlgen turns .tl schemas into Go: a struct for each constructor and function that the named roots
// reach. The schemas are inside it.
//
// # For your own module
//
// Package tl/tg has the methods that this project calls itself. For any other one get the tool and put a
// tlgen.txt into a package of yours:
//
//	go get -tool github.com/mtfleet/mtfleet/tl/tlgen
//
//	package api
//	import tg
//	root messages.sendMessage messages.getHistory
//	raw MessageMedia ReplyMarkup
//
// and a line "//go:generate go tool tlgen" into one of its files. What tl/tg has is used from there: a field that is
// an InputPeer has the type tg.AnyInputPeer. Everything else that the roots reach is generated into files gen_*.go,
// for the layer that tl/tg speaks: after an update of this module that brings another layer they do not compile before
// they are generated again. A generated method is a tl.Query, so actors.Invoke takes it, and tg.Repeatable judges it
// by its name. Roots often reach far (messages.sendMessage and messages.getHistory 475 types); name what you do not look into as raw.
//
// Types of which tl/tg has some constructors and not all (it keeps Update, Message and Chat raw in its own fields) are
// generated whole: their interfaces are closed, and tg.UpdateConfig is not one of yours. What tl/tg keeps raw is read
// with your types by tl.Unmarshal or by the parser of the interface. With own you have a type that tl/tg has once more,
// with your types in place of its raw ones.
//
// docs/typed-calls.md shows all of it, examples/typed is such a module.
//
// # The lines of a tlgen.txt
//
//	package api                the package to write
//	import tg                  use what tl/tg has; the schema is that of the API
//	root auth.*                a function, constructor or type to generate, with all it reaches; * ends a prefix
//	raw Update                 a type that stays tl.Raw wherever a field has it
//	own Updates                a type or function to generate though tl/tg has it
//	omit message               a definition that is not generated
//	file users User UserStatus write the constructors of these types to gen_users.go
//	note auth.sentCode.timeout text       a comment for a field, or for a whole definition
//
// What begins with # is a comment. What is wrong is said in one line, with its place: "tlgen.txt:3: root messages.send:
// no such definition or type". The rest is for packages without import, tl/mt and tl/tg:
//
//	schema api.tl              a schema file of tl/schema; may be repeated
//	hand msg_container         one that the package writes by hand, as a tl.Object
//	view                       tl.Raw fields alias the input instead of copying it
//	table mtproto.tl gzip_packed   emit the table, with these definitions of another schema in it
//	pts Update except updateNewChannelMessage   emit the table of pts fields
//	layers layers.tl           emit what older layers have differently
//	policy policy.txt          emit which functions may be repeated, as this file judges every one of them
//	publish ../tlgen/tg.txt    copy the configuration there: so the generator knows what tl/tg has
//
// The output depends on nothing but these files: a test generates it again and compares.
package main
