package world

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Shrunk is the smallest run found that breaks the same promise as another.
type Shrunk struct {
	Options Options
	Result  Result
	Tries   int // runs that were played for it
}

// Shrink plays a bad run again with less, a shorter time first and then fewer
// gusts, and keeps what still breaks the same promise. It plays at most that many
// runs, and none after the time.
func Shrink(bad Result, o Options, tries int, until time.Time) Shrunk {
	s := shrinking{seed: bad.Seed, tries: tries, until: until, best: Shrunk{Options: o, Result: bad}}
	if len(bad.Complaints) == 0 {
		return s.best
	}
	s.promise = promise(bad.Complaints[0])
	s.time()
	s.gusts()
	return s.best
}

type shrinking struct {
	seed    uint64
	promise string
	tries   int
	until   time.Time
	best    Shrunk
}

// try plays a run; it is kept when it is as bad.
func (s *shrinking) try(o Options) bool {
	s.best.Tries++
	r, err := Run(s.seed, o)
	if err != nil || !slices.ContainsFunc(r.Complaints, func(c string) bool { return promise(c) == s.promise }) {
		return false
	}
	s.best.Options, s.best.Result = o, r
	return true
}

func (s *shrinking) over() bool { return s.best.Tries >= s.tries || !time.Now().Before(s.until) }

// time halves the way between what is too short and what is long enough, five
// times at most.
func (s *shrinking) time() {
	o := s.best.Options
	def(&o.Duration, defaultDuration)
	least, most := time.Duration(0), o.Duration
	if o.paced() {
		least = denseMost // below, everything is one storm
	}
	for range 5 {
		o.Duration = ((least + most) / 2).Round(time.Second)
		if s.over() || most-least < time.Minute {
			return
		}
		if s.try(o) {
			most = o.Duration
		} else {
			least = o.Duration
		}
	}
}

// gusts leaves out ever smaller parts of what goes wrong.
func (s *shrinking) gusts() {
	kept := s.best.Options.Only
	if kept == nil {
		for n := range s.best.Result.Counts.Gusts {
			kept = append(kept, n)
		}
	}
	for parts := 2; len(kept) > 0 && parts <= 2*len(kept); parts *= 2 {
		size := max(len(kept)/parts, 1)
		for at := 0; at < len(kept); {
			if s.over() {
				return
			}
			o := s.best.Options
			o.Only = append(slices.Clone(kept[:at]), kept[min(at+size, len(kept)):]...)
			if o.Only == nil {
				o.Only = []int{}
			}
			if s.try(o) {
				kept = o.Only
			} else {
				at += size
			}
		}
	}
}

// particulars are what differs from one breach of a promise to the next: numbers,
// ids, accounts.
var particulars = regexp.MustCompile(`[0-9][0-9a-zµ.]*|[0-9a-f]{8,}|person-|robot-`)

// promise is what a complaint is about.
func promise(complaint string) string {
	text := strings.TrimLeft(particulars.ReplaceAllString(complaint, ""), ": ")
	text, _, _ = strings.Cut(text, ":")
	return text
}
