package standing

import (
	"slices"
	"testing"
)

func TestKeptCallsComeBackOnceAndInOrder(t *testing.T) {
	var k Kept[string]
	if _, ok := k.Take(1); ok || k.TakeAll() != nil {
		t.Error("there was one")
	}
	k.Keep(3, "c")
	k.Keep(1, "a")
	k.Keep(2, "b")
	if call, ok := k.Take(1); !ok || call != "a" {
		t.Errorf("it is %q", call)
	}
	if _, ok := k.Take(1); ok {
		t.Error("it came back twice")
	}
	if all := k.TakeAll(); !slices.Equal(all, []string{"b", "c"}) || k.TakeAll() != nil || k.all != nil {
		t.Errorf("the others are %q", all)
	}
}
