package runtime

import (
	"errors"
	"testing"
)

// TestNumberedQuestionsAreAnsweredOneByOne: each by its number, once; the rest
// together.
func TestNumberedQuestionsAreAnsweredOneByOne(t *testing.T) {
	var q Numbered[uint64, string]
	failed := errors.New("failed")
	var asked []Reply[string]
	for i := range uint64(3) {
		r := Reply[string]{make(chan answer[string], 1)}
		asked = append(asked, r)
		if n := q.Add(r); n != i+1 {
			t.Errorf("question %d got number %d", i, n)
		}
	}
	q.Send(2, "second", nil)
	q.Send(2, "again", nil)
	q.Send(9, "nobody", nil)
	q.SendAll("", failed)
	q.SendAll("late", nil)
	for i, want := range []answer[string]{{"", failed}, {"second", nil}, {"", failed}} {
		if got := <-asked[i].ch; got != want {
			t.Errorf("question %d is answered %+v", i+1, got)
		}
	}
	if n := q.Add(Reply[string]{}); n != 4 {
		t.Errorf("a number was given twice: %d", n)
	}
}
