package health

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEachCheckAnswersForItself(t *testing.T) {
	broken := errors.New("it is broken")
	got := NewProbe(
		Check{"good", func(context.Context) error { return nil }},
		Check{"bad", func(context.Context) error { return broken }},
	).Look(t.Context())
	if len(got) != 2 || got[0] != (Answer{"good", nil}) || got[1] != (Answer{"bad", broken}) {
		t.Errorf("%+v", got)
	}
}

func TestACheckThatHangsIsToldInTimeAndAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		free := make(chan struct{})
		p := NewProbe(
			Check{"stuck", func(context.Context) error { asked.Add(1); <-free; return nil }},
			Check{"good", func(context.Context) error { return nil }},
		)
		begun := time.Now()
		for i := 1; i <= 3; i++ {
			got := p.Look(t.Context())
			var late *LateError
			if !errors.As(got[0].Err, &late) || late.For != time.Duration(i)*Limit || got[1].Err != nil {
				t.Fatalf("look %d: %+v", i, got)
			}
		}
		if took := time.Since(begun); took != 3*Limit {
			t.Errorf("three looks took %v", took)
		}
		if n := asked.Load(); n != 1 {
			t.Errorf("it was asked %d times while it hung", n)
		}
		close(free)
		synctest.Wait()
		if got := p.Look(t.Context()); got[0].Err != nil || asked.Load() != 2 {
			t.Errorf("when it goes on: %+v, asked %d times", got, asked.Load())
		}
	})
}

func TestWhoHeedsItsContextIsLateToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProbe(Check{"slow", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		got := p.Look(t.Context())
		var late *LateError
		if !errors.As(got[0].Err, &late) || got[0].Err.Error() != "no answer for 5s" {
			t.Errorf("%+v", got)
		}
		synctest.Wait()
	})
}

func TestWhoLeavesDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		p := NewProbe(Check{"stuck", func(context.Context) error { <-free; return nil }})
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		begun := time.Now()
		if got := p.Look(ctx); got[0].Err == nil || time.Since(begun) != time.Second {
			t.Errorf("%+v after %v", got, time.Since(begun))
		}
		close(free)
	})
}
