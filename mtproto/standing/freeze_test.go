package standing

import (
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// object is a JSONValue that is an object of keys and values.
func object(pairs ...any) []byte {
	b := tl.AppendVectorHeader(tl.AppendUint32(nil, jsonObjectID), len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		b = tl.AppendString(tl.AppendUint32(b, jsonObjectValueID), pairs[i].(string))
		b = append(b, pairs[i+1].([]byte)...)
	}
	return b
}

func number(n float64) []byte { return tl.AppendDouble(tl.AppendUint32(nil, jsonNumberID), n) }
func text(s string) []byte    { return tl.AppendString(tl.AppendUint32(nil, 0xb71e767a), s) }
func null() []byte            { return tl.AppendUint32(nil, 0x3f6d7b68) }
func list(values ...[]byte) []byte {
	b := tl.AppendVectorHeader(tl.AppendUint32(nil, 0xf7444763), len(values))
	for _, v := range values {
		b = append(b, v...)
	}
	return b
}

func answerOf(config []byte) []byte { return (&tg.HelpAppConfig{Hash: 1, Config: config}).Append(nil) }

func TestWhetherAConfigurationNamesAFreeze(t *testing.T) {
	since := number(1788264000)
	for _, c := range []struct {
		name    string
		body    []byte
		freezes bool
		broken  bool
	}{
		{"a freeze", answerOf(object("freeze_since_date", since, "freeze_appeal_url", text("https://t.invalid"))), true, false},
		{"a freeze among much else", answerOf(object("a", list(null(), text("x")), "b", object("c", null()), "freeze_since_date", since, "d", null())), true, false},
		{"nothing", answerOf(object()), false, false},
		{"no freeze", answerOf(object("authorization_autoconfirm_period", number(604800))), false, false},
		{"a freeze that is over, as the date 0", answerOf(object("freeze_since_date", number(0))), false, false},
		{"a freeze that is null", answerOf(object("freeze_since_date", null())), false, false},
		{"the name in another object", answerOf(object("a", object("freeze_since_date", since))), false, false},
		{"the name as a text", answerOf(object("a", text("freeze_since_date"))), false, false},
		{"what is no object", answerOf(list(since)), false, true},
		{"nothing that was asked for", (&tg.HelpAppConfigNotModified{}).Append(nil), false, true},
		{"an answer cut short", answerOf(object("freeze_since_date", since))[:40], false, true},
		{"no answer", nil, false, true},
	} {
		if freezes, err := namesFreeze(c.body); freezes != c.freezes || (err != nil) != c.broken {
			t.Errorf("%s: %v, %v", c.name, freezes, err)
		}
	}
}

func FuzzNamesFreeze(f *testing.F) {
	f.Add(answerOf(object("freeze_since_date", number(1))))
	f.Add(answerOf(object("a", list(null(), object("b", text("c"))))))
	f.Add((&tg.HelpAppConfigNotModified{}).Append(nil))
	f.Fuzz(func(t *testing.T, body []byte) {
		if freezes, err := namesFreeze(body); freezes && err != nil {
			t.Errorf("it names a freeze and cannot be read: %v", err)
		}
	})
}
