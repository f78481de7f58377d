package persistence

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestLabelsArePutOnAndTakenAway(t *testing.T) {
	var l Labels
	l, err := l.Change(map[string]string{"env": "prod", "team": "a"}, nil)
	if err != nil || l.String() != "env=prod,team=a" {
		t.Fatalf("%v, %v", l, err)
	}
	if l, err = l.Change(map[string]string{"env": "test", "x/y.z": "A:b+c@d"}, []string{"team", "nothing"}); err != nil || l.String() != "env=test,x/y.z=A:b+c@d" {
		t.Fatalf("%v, %v", l, err)
	}
	if v, ok := l.Get("env"); v != "test" || !ok {
		t.Errorf("env is %q, %v", v, ok)
	}
	if _, ok := l.Get("team"); ok {
		t.Error("a label that was taken away is there")
	}
	text, err := json.Marshal(l)
	var back Labels
	if err != nil || string(text) != `{"env":"test","x/y.z":"A:b+c@d"}` || json.Unmarshal(text, &back) != nil || back != l {
		t.Errorf("as JSON %s, read as %v", text, back)
	}
	if l, err = l.Change(nil, []string{"env", "x/y.z"}); err != nil || !l.IsZero() || l != (Labels{}) {
		t.Errorf("%v, %v", l, err)
	}
}

func TestLabelsThatMakeNoSenseAreRefused(t *testing.T) {
	long := strings.Repeat("a", MaxLabelChars+1)
	many := map[string]string{}
	for i := range MaxLabels + 1 {
		many[fmt.Sprint("k", i)] = ""
	}
	for _, m := range []map[string]string{
		{"": "x"}, {long: ""}, {"a": long}, {"A": ""}, {"a=b": ""}, {"a": "b=c"}, {"a": "b,c"}, {"a": "b c"}, {"a-": ""}, {"a": "ü"}, {"a": "\n"}, many,
	} {
		l, err := NewLabels(m)
		if e := new(LabelError); !errors.As(err, &e) || !l.IsZero() || strings.Contains(err.Error(), "\n") || len(err.Error()) > 300 {
			t.Errorf("%.100v gives %v, %v", m, l, err)
		}
	}
	rec := Account{ID: "a"}.Record()
	for _, text := range []string{"b=,a=", "a", "a=,a=", ",", "a=,", "A="} {
		var w writer
		w.string(text)
		bad := rec
		bad.Data = append(append(Secret{}, rec.Data[:len(rec.Data)-2]...), append(w, 0)...) // labels, and no proxy
		if a, err := DecodeAccount(bad); err == nil {
			t.Errorf("a record with labels %q is read as %v", text, a.Labels)
		}
	}
}
