package persistence

import (
	"errors"
	"strings"
	"testing"
)

func TestSeveralBadRecordsAreOneLine(t *testing.T) {
	k := func(name string) Key { return Key{"alice", KindPermKey, name} }
	err := JoinRecords(nil, &CorruptError{k("2"), "torn"}, nil, &VersionError{k("4"), 3, 1})
	if s := err.Error(); strings.Contains(s, "\n") || !strings.Contains(s, "torn") || !strings.Contains(s, `"4"`) || strings.Count(s, "persistence: ") != 1 {
		t.Error(s)
	}
	if got := BadKeys(err); len(got) != 2 || got[0] != k("2") || got[1] != k("4") {
		t.Errorf("the bad records are %v", got)
	}
	var version *VersionError
	if !errors.As(err, &version) {
		t.Error("what is wrong with the second one is lost")
	}
	if err := JoinRecords(nil, nil); err != nil {
		t.Errorf("nothing is wrong, and it says %v", err)
	}
	one := &CorruptError{k("2"), "torn"}
	if err := JoinRecords(nil, one); err != error(one) {
		t.Errorf("one error became %v", err)
	}
}
