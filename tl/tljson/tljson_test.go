package tljson_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The bytes were put together by hand from the schema.
func TestWhatIsReadAsWhat(t *testing.T) {
	point := func(double uint64) string {
		b := tl.AppendInt64(nil, int64(double))
		return "af2f2248 00000000" + hex.EncodeToString(b) + "0000000000000000"
	}
	for _, test := range []struct {
		name, text string
		want       string
		again      string // how it is written, "" for as it was read
	}{
		{"a constructor without fields", `{"_":"inputPeerSelf"}`, "c97ea07d", ""},
		{"fields in another order", ` { "access_hash" : "-2" , "_" : "inputPeerUser" , "user_id" : "5" } `,
			"4ca5e8dd 0500000000000000 feffffffffffffff", `{"_":"inputPeerUser","user_id":"5","access_hash":"-2"}`},
		{"a 64-bit integer as a number", `{"_":"peerUser","user_id":9007199254740992}`, "22175159 0000000000002000",
			`{"_":"peerUser","user_id":"9007199254740992"}`},
		{"the least 64-bit integer", `{"_":"peerUser","user_id":"-9223372036854775808"}`, "22175159 0000000000000080", ""},
		{"escaped names", `{"\u005f":"peerUser","user\u005fid":"\u0035"}`, "22175159 0500000000000000", `{"_":"peerUser","user_id":"5"}`},
		{"a Bool", `true`, "b5757299", ""},
		{"a Bool by its constructor", `{"_":"boolFalse"}`, "379779bc", "false"},
		{"a flag", `{"_":"inputMediaWebPage","optional":true,"url":"x"}`, "49881bc2 04000000 01780000", ""},
		{"a flag that is false, one that is null", `{"_":"inputMediaWebPage","optional":false,"force_large_media":null,"url":"x"}`,
			"49881bc2 00000000 01780000", `{"_":"inputMediaWebPage","url":"x"}`},
		{"flags nobody knows", `{"_":"inputMediaWebPage","url":"x","flags":2147483648}`, "49881bc2 00000080 01780000", ""},
		{"an optional field that is null", `{"_":"inputGeoPoint","lat":0,"long":0,"accuracy_radius":null}`, point(0),
			`{"_":"inputGeoPoint","lat":0,"long":0}`},
		{"a double", `{"_":"inputGeoPoint","lat":1.5e300,"long":0}`, point(math.Float64bits(1.5e300)),
			`{"_":"inputGeoPoint","lat":1.5e+300,"long":0}`},
		{"minus zero", `{"_":"inputGeoPoint","lat":-0,"long":0}`, point(1 << 63), ""},
		{"no number", `{"_":"inputGeoPoint","lat":"NaN","long":0}`, point(0x7ff8000000000000), ""},
		{"another no number", `{"_":"inputGeoPoint","lat":"NaN:fff0000000000001","long":0}`, point(0xfff0000000000001), ""},
		{"more than any number", `{"_":"inputGeoPoint","lat":"-Infinity","long":0}`, point(math.Float64bits(math.Inf(-1))), ""},
		{"a string with all kinds of escapes", `{"_":"dataJSON","data":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00<"}`,
			"048d747d 0f 225c2f080c0a0d09 c3a9 f09f9880 3c",
			`{"_":"dataJSON","data":"\"\\/\u0008\u000c\n\r\té😀<"}`},
		{"a string that is not UTF-8", `{"_":"dataJSON","data":{"base64":"gA=="}}`, "048d747d 01800000", ""},
		{"bytes", `{"_":"inputPhoto","id":"1","access_hash":"2","file_reference":"AP8="}`,
			"4ab9b33b 0100000000000000 0200000000000000 0200ff00", ""},
		{"a call within a call", `{"_":"invokeWithoutUpdates","query":{"_":"help.getConfig"}}`, "b75994bf 6b18f9c4", ""},
		{"a vector of numbers", `{"_":"messages.deleteMessages","id":[1,-1]}`,
			"d2958ee5 00000000 15c4b51c 02000000 01000000 ffffffff", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := unhex(t, test.want)
			got, err := codec.Parse([]byte(test.text))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%x, %v\nwant %x", []byte(got), err, want)
			}
			again := test.again
			if again == "" {
				again = test.text
			}
			text, err := codec.Append(nil, got)
			if err != nil || string(text) != again {
				t.Errorf("written as %s, %v\nwant %s", text, err, again)
			}
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	self := `{"_":"inputPeerSelf"}`
	deep := strings.Repeat(`{"_":"invokeWithoutUpdates","query":`, tl.MaxDepth) + `{"_":"help.getConfig"}` + strings.Repeat("}", tl.MaxDepth)
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "byte 0: the text ends where a value is expected"},
		{"a cut object", `{"_":`, "byte 5: the text ends where a value is expected"},
		{"a cut string", `{"_":"x`, "byte 7: the text ends inside a string"},
		{"two values", self + "1", "byte 21: text after the value"},
		{"no comma", `{"_":"x" "a":1}`, "byte 9: not JSON: a comma or } is expected"},
		{"a comma too many", `[1,]`, "byte 3: not JSON: a value is expected"},
		{"a name without quotes", `{_:1}`, "byte 1: not JSON: the name of a field is expected, in quotes"},
		{"a comment", `/* */1`, "byte 0: not JSON: a value is expected"},
		{"a number with a leading zero", `{"a":01}`, "byte 7: not JSON: not a number"},
		{"a number without digits", `-`, "byte 1: not JSON: not a number"},
		{"a lone surrogate", `"\ud800x"`, "byte 6: half a surrogate pair: such a string has no UTF-8"},
		{"a wrong escape", `"\x"`, "byte 2: not JSON: an unknown escape"},
		{"half an escape", `"\u00"`, "byte 2: not JSON: four hexadecimal digits are expected"},
		{"a raw line feed", "\"\n\"", "byte 1: not JSON: a control character in a string"},
		{"a string that is not UTF-8", "\"\xff\"", "byte 1: a string is not UTF-8"},
		{"no constructor", `{}`, "_: missing: the name of a constructor or method is expected"},
		{"a number", `1`, "byte 0: a number where an object is expected, of type Object"},
		{"a constructor nobody knows", `{"_":"inputPeerSlf"}`,
			`_: "inputPeerSlf" is not in the schema: the name of a constructor or method is expected`},
		{"a constructor that is a number", `{"_":1}`, "_: a number where the name of a constructor is expected"},
		{"a missing field", `{"_":"inputPeerUser","user_id":"1"}`, "access_hash: missing"},
		{"a missing field inside", `{"_":"messages.readHistory","peer":{"_":"inputPeerUser","access_hash":"1"},"max_id":1}`,
			"peer.user_id: missing"},
		{"a required field that is null", `{"_":"peerUser","user_id":null}`, "user_id: null where a 64-bit integer is expected, as a string"},
		{"a field nobody knows", `{"_":"peerUser","user_id":"1","usr":1}`, "usr: no field of peerUser: user_id"},
		{"a field of no field", `{"_":"inputPeerSelf","flags":1}`, "flags: no field of inputPeerSelf: it has none"},
		{"a field twice", `{"_":"peerUser","user_id":"1","user_id":"1"}`, "user_id: given twice"},
		{"a constructor twice", `{"_":"inputPeerSelf","_":"inputPeerSelf"}`, "_: given twice"},
		{"a constructor of another type", `{"_":"messages.readHistory","peer":{"_":"inputUserSelf"},"max_id":1}`,
			"peer._: inputUserSelf is of type InputUser: a value of type InputPeer is expected (inputPeerChannel, " +
				"inputPeerChannelFromMessage, inputPeerChat, inputPeerEmpty, inputPeerSelf, inputPeerUser, 1 more)"},
		{"a missing constructor inside", `{"_":"updates.getDifference","pts":1,"date":1,"qts":"1"}`, "qts: a string where a whole number is expected"},
		{"a number too large", `{"_":"updates.getDifference","pts":2147483648,"date":1,"qts":1}`, "pts: the number is not between -2147483648 and 2147483647"},
		{"a number that is not whole", `{"_":"updates.getDifference","pts":1.0,"date":1,"qts":1}`, "pts: a number where a whole number is expected"},
		{"a 64-bit integer too large", `{"_":"peerUser","user_id":"9223372036854775808"}`, "user_id: the integer does not fit 64 bits"},
		{"one far too large", `{"_":"peerUser","user_id":"99999999999999999999999999"}`, "user_id: the integer does not fit 64 bits"},
		{"one that may be rounded", `{"_":"peerUser","user_id":9007199254740993}`,
			"user_id: a number beyond 2^53, which may have been rounded: write it as a string"},
		{"one with a sign", `{"_":"peerUser","user_id":"+1"}`, "user_id: a string that is not a 64-bit integer"},
		{"an element", `{"_":"messages.deleteMessages","id":[1,"x"]}`, "id[1]: a string where a whole number is expected"},
		{"a field of an element", `{"_":"users.getUsers","id":[{"_":"inputUserSelf"},{"_":"inputUser","user_id":"1"}]}`, "id[1].access_hash: missing"},
		{"no array", `{"_":"messages.deleteMessages","id":1}`, "id: a number where an array is expected"},
		{"no string", `{"_":"dataJSON","data":{"base64":"gA==","x":1}}`, "data: an object where a string is expected"},
		{"wrong base64", `{"_":"dataJSON","data":{"base64":"gA"}}`, "data.base64: a string that is not base64 of the standard alphabet, padded"},
		{"wrong bytes", `{"_":"inputPhoto","id":"1","access_hash":"2","file_reference":[1]}`, "file_reference: an array where base64 is expected, in a string"},
		{"a Bool that is a string", `{"_":"account.setContactSignUpNotification","silent":"true"}`, "silent: a string where true or false is expected"},
		{"a flag that is a number", `{"_":"inputMediaWebPage","optional":1,"url":"x"}`, "optional: a number where true is expected, or nothing"},
		{"bits that follow", `{"_":"inputMediaWebPage","optional":true,"url":"x","flags":4}`, "flags: it has bits that follow from the fields that are given"},
		{"half of what goes together", `{"_":"inputMediaUploadedPhoto","live_photo":true,"file":{"_":"inputFileStoryDocument","id":{"_":"inputDocumentEmpty"}}}`,
			"video: missing though live_photo is given: they go together"},
		{"a flag denied", `{"_":"inputMediaUploadedPhoto","live_photo":false,"video":{"_":"inputDocumentEmpty"},"file":{"_":"inputFileStoryDocument","id":{"_":"inputDocumentEmpty"}}}`,
			"live_photo: false though video is given: they go together"},
		{"a double that is a word", `{"_":"inputGeoPoint","lat":"nan","long":0}`,
			`lat: a string where a number is expected, or one of "NaN", "Infinity", "-Infinity"`},
		{"a double too large", `{"_":"inputGeoPoint","lat":1e999,"long":0}`, "lat: the number does not fit a double"},
		{"too deep", deep, "nested too deep"},
		{"far too deep", strings.Repeat("[", 1<<20), "byte 258: nested too deep"},
		{"too many values", "[" + strings.Repeat("1,", tljson.MaxNodes) + "1]", fmt.Sprintf("more than %d values", tljson.MaxNodes)},
		{"too long", strings.Repeat(" ", tljson.MaxText+1), "byte 0: the text has 4194305 bytes, more than 4194304"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := codec.Parse([]byte(test.text))
			var perr *tljson.Error
			if !errors.As(err, &perr) || got != nil || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("%v, %v\nwant %s", got, err, test.want)
			}
			if strings.HasSuffix(err.Error(), ": "+test.want) && test.want != "nested too deep" && !strings.HasPrefix(test.want, "more than") {
				t.Errorf("more than that: %v", err)
			}
		})
	}
}

// What a secret field is given as is no part of any error, wherever the error is.
func TestErrorsHoldNoValues(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, text := range []string{
		`{"_":"peerUser","user_id":"` + secret + `"}`,
		`{"_":"dataJSON","data":["` + secret + `"]}`,
		`{"_":"dataJSON","data":{"base64":"` + secret + `"}}`,
		`{"_":"inputPhoto","id":"1","access_hash":"2","file_reference":"` + secret + `"}`,
		`{"_":"inputGeoPoint","lat":"` + secret + `","long":0}`,
		`{"_":"dataJSON","data":"` + secret + `" 1`,
	} {
		if _, err := codec.Parse([]byte(text)); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestACallIsTheParametersOfAMethod(t *testing.T) {
	want := tl.AppendUint32(nil, tg.HelpGetConfigRequestID)
	for _, params := range []string{"", "{}", `{"_":"help.getConfig"}`} {
		if got, err := codec.ParseCall("help.getConfig", []byte(params)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %x, %v", params, []byte(got), err)
		}
	}
	for _, test := range []struct{ method, params, want string }{
		{"help.getConfig", `{"_":"help.getNearestDc"}`, "_: another name than that of the method, help.getConfig"},
		{"help.getConfig", `[]`, "byte 0: an array where an object with the parameters is expected"},
		{"help.getConfg", ``, `there is no method "help.getConfg"; did you mean help.getConfig?`},
		{"sendMessage", ``, `there is no method "sendMessage"; did you mean ephemeral.sendMessage or messages.sendMessage?`},
		{"Messages.SendMessage", ``, `there is no method "Messages.SendMessage"; did you mean messages.sendMessage?`},
		{"inputPeerSelf", ``, `there is no method "inputPeerSelf"`},
		{"colourless green ideas", ``, `there is no method "colourless green ideas"`},
	} {
		if _, err := codec.ParseCall(test.method, []byte(test.params)); err == nil || err.Error() != test.want {
			t.Errorf("%s %s: %v\nwant %s", test.method, test.params, err, test.want)
		}
	}
}

func TestWhatCannotBeWritten(t *testing.T) {
	for _, test := range []struct {
		name, value string
		want        error
	}{
		{"nothing", "", tl.ErrShort},
		{"no constructor of the schema", "01020304", tl.ErrConstructor},
		{"a constructor of another type", "b75994bf 48222faf", tl.ErrConstructor},
		{"a field cut off", "22175159 00000000", tl.ErrShort},
		{"a string cut off", "048d747d 05610000", tl.ErrShort},
		{"a vector longer than the value", "d2958ee5 00000000 15c4b51c ffffff7f 00000000", tl.ErrLength},
		{"bytes after the value", "c97ea07d 00000000", tl.ErrTrailing},
		{"a vector", "15c4b51c 00000000", tl.ErrConstructor},
		{"too deep", strings.Repeat("b75994bf", tl.MaxDepth) + "6b18f9c4", tl.ErrDepth},
	} {
		got, err := codec.Append([]byte("before"), unhex(t, test.value))
		var perr *tl.ParseError
		if !errors.As(err, &perr) || !errors.Is(err, test.want) || string(got) != "before" {
			t.Errorf("%s: %s, %v, want %v", test.name, got, err, test.want)
		}
	}
}

// The parser reads no more and no less than JSON: encoding/json agrees about every text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"_":"messages.sendMessage","peer":{"_":"inputPeerSelf"},"message":"hi\u00e9","random_id":"123"}`,
		`{"_":"inputGeoPoint","lat":-1.5e3,"long":"NaN:fff0000000000001","accuracy_radius":null}`,
		`{"_":"users.getUsers","id":[{"_":"inputUser","user_id":1,"access_hash":"-2"},{"_":"inputUserSelf"}]}`,
		`{"_":"inputMediaUploadedPhoto","live_photo":true}`, `{"_":"dataJSON","data":{"base64":"gA=="}}`, `[1,{"a":[null]}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := codec.Parse(text)
		if err != nil {
			if msg := err.Error(); strings.Contains(msg, "not JSON") && json.Valid(text) || strings.ContainsAny(msg, "\n\x00") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q was read and is not JSON", text)
		}
		if n, err := tl.Skip(tg.Schema, got); err != nil || n != len(got) {
			t.Fatalf("%q became %x: %v", text, []byte(got), err)
		}
		again, err := codec.Append(nil, got)
		if err != nil {
			t.Fatalf("%q became %x: %v", text, []byte(got), err)
		}
		back, err := codec.Parse(again)
		if err != nil || !bytes.Equal(back, got) {
			t.Fatalf("%q became %s: %v", text, again, err)
		}
	})
}

// What tl.Skip accepts can be written, and nothing else; what was written can be read.
func FuzzAppend(f *testing.F) {
	for _, seed := range []string{
		"4ca5e8dd 0500000000000000 feffffffffffffff", "49881bc2 ffffffff 01780000", "048d747d 01800000",
		"d2958ee5 00000000 15c4b51c 02000000 01000000 ffffffff", "b75994bf 6b18f9c4",
	} {
		b, _ := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		n, skipErr := tl.Skip(tg.Schema, value)
		text, err := codec.Append(nil, value)
		if ok := skipErr == nil && n == len(value); ok != (err == nil) {
			t.Fatalf("%x: skipped %d, %v; written: %v", value, n, skipErr, err)
		}
		if err != nil {
			return
		}
		back, err := codec.Parse(text)
		if err != nil {
			t.Fatalf("%x became %s: %v", value, text, err)
		}
		again, err := codec.Append(nil, back)
		if err != nil || !bytes.Equal(again, text) { // value itself may have padding of its own
			t.Fatalf("%x became %s, then %s: %v", value, text, again, err)
		}
	})
}
