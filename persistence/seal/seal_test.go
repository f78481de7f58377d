package seal

import (
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/persistence"
)

// What was sealed by the program before this package was one of its own.
func TestWhatWasSealedBeforeOpens(t *testing.T) {
	s, err := New(MasterKey{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	value, err := hex.DecodeString("013eb02f2f07006b5aafdc93bf5e8814148b8d93385c5eaedc28b7ebc4940834362fdb55883f794bf6434d3067a3c882ec5f3fe90b0736df84fbdc")
	if err != nil {
		t.Fatal(err)
	}
	want := persistence.Record{
		Key:     persistence.Key{Account: "alice", Kind: persistence.KindMeta, Sub: "x.1"},
		Version: 7, Data: persistence.Secret("what is kept"),
	}
	got, err := s.Open(want.Key, value)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	again, err := s.Seal(want)
	if err != nil || len(again) != len(value) || string(again[:HeaderLen]) != string(value[:HeaderLen]) || len(again) != len(want.Data)+Overhead {
		t.Fatalf("sealed as %x, %v", again, err)
	}
	other, err := New(MasterKey{3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(want.Key, value); !errors.As(err, new(*persistence.CorruptError)) || !other.OfAnotherKey(value) || s.OfAnotherKey(value) {
		t.Fatalf("with another key: %v", err)
	}
}
