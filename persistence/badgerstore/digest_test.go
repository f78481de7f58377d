package badgerstore

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

func testDigester(t testing.TB) *digester {
	t.Helper()
	d, err := newDigester(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func testSealer(t testing.TB) *sealer {
	t.Helper()
	s, err := newSealer(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// recount is what the incremental sums must come to.
func recount(d *digester, m map[string][]byte) (s sums) {
	for name, value := range m {
		d.change(&s, []byte(name), term{}, d.term([]byte(name), value))
	}
	return s
}

func TestSumsOfAnyHistoryAreThoseOfItsOutcome(t *testing.T) {
	d := testDigester(t)
	rapid.Check(t, func(t *rapid.T) {
		model, s := map[string][]byte{}, sums{}
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			kind := rapid.SampledFrom([]persistence.Kind{persistence.KindAccount, persistence.KindPermKey, persistence.KindUpdates}).Draw(t, "kind")
			name := string(recordName(persistence.Key{Account: "a", Kind: kind, Sub: fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "sub"))}))
			before := d.term([]byte(name), model[name])
			if rapid.Bool().Draw(t, "delete") {
				delete(model, name)
				d.change(&s, []byte(name), before, term{})
				continue
			}
			model[name] = rapid.SliceOfN(rapid.Byte(), 1, 120).Draw(t, "value")
			d.change(&s, []byte(name), before, d.term([]byte(name), model[name]))
		}
		if want := recount(d, model); s != want {
			t.Fatalf("incrementally %+v, anew %+v", s, want)
		}
	})
}

func TestSumsTellSetsApart(t *testing.T) {
	d, s := testDigester(t), testSealer(t)
	name := func(id persistence.AccountID, dc int) string {
		return string(recordName(persistence.PermKeyKey(id, dc)))
	}
	sealed := func(r persistence.Record) []byte {
		b, err := s.Seal(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one, again := sealed(persistence.PermKey{DC: 2}.Record("a")), sealed(persistence.PermKey{DC: 2}.Record("a"))
	flipped := append([]byte(nil), one...)
	flipped[len(flipped)-1] ^= 1
	sets := []map[string][]byte{
		{}, {name("a", 2): one}, {name("a", 2): again}, {name("a", 2): flipped}, {name("a", 4): one}, {name("b", 2): one},
		{name("a", 2): one, name("b", 2): one}, {name("a", 2): one, name("b", 2): again}, {name("a", 2): {}},
	}
	for i := range sets {
		for j := range i {
			if recount(d, sets[i]) == recount(d, sets[j]) {
				t.Errorf("sets %d and %d have the same sums", i, j)
			}
		}
	}
	other, err := newDigester(seal.MasterKey{7})
	if err != nil {
		t.Fatal(err)
	}
	if recount(d, sets[1]) == recount(other, sets[1]) {
		t.Error("the sums do not depend on the key")
	}
}
