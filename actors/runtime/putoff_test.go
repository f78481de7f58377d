package runtime

import (
	"testing"
	"testing/synctest"
)

// TestWhatIsPutOffComesBeforeWhatIsNewer: in its order, when the actor can
// handle it, and to Undelivered when it never can, also when its Stopping panics.
func TestWhatIsPutOffComesBeforeWhatIsNewer(t *testing.T) {
	for _, c := range []struct {
		name  string
		sends []string
		panic bool
		want  string
	}{
		{"resumed", []string{"a", "b", "ready", "c"}, false, "ready a b c"},
		{"put off again", []string{"a", "b", "ready", "not", "c", "d", "ready"}, false, "ready a b not ready c d"},
		{"never", []string{"a", "b"}, false, "lost a lost b"},
		{"never, and its end fails", []string{"a", "b"}, true, "lost a lost b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var tr trace
				s := NewSystem(Options{})
				ready, hold := false, make(chan struct{})
				r := SpawnRoot(s, &script[string]{
					started: func(*Context[string]) { <-hold },
					receive: func(c *Context[string], m string) {
						switch m {
						case "ready":
							ready = true
							c.Resume()
						case "not":
							ready = false
						default:
							if !ready {
								c.PutOff(m)
								return
							}
						}
						tr.add("%s", m)
					},
					stopping: func(*Context[string]) {
						if c.panic {
							panic("stopping")
						}
					},
					lost: func(m string) { tr.add("lost %s", m) },
				})
				for _, m := range c.sends {
					r.Send(m)
				}
				close(hold)
				synctest.Wait()
				r.Stop()
				<-r.Done()
				synctest.Wait()
				if got := tr.String(); got != c.want {
					t.Errorf("it received %q, want %q", got, c.want)
				}
				closeSystem(t, s)
			})
		})
	}
}
