package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tally is what many rounds came to.
type tally struct {
	rounds, killed, harmless, quarantined, refused int
	silent, lied, risen                            int
	salvaged, whole                                int // stores; those that got all accounts back
	should, back                                   int // accounts
	named                                          map[string]int
}

func (t *tally) add(r result) {
	t.rounds++
	if r.killed {
		t.killed++
	}
	if r.lied {
		t.lied++
	}
	switch {
	case r.silent > 0:
		t.silent++
	case r.refused != nil:
		t.refused++
	case r.named != nil:
		t.salvaged++
		t.should, t.back, t.risen = t.should+r.should, t.back+r.back, t.risen+r.risen
		if r.back == r.should {
			t.whole++
		}
		file, _, _ := strings.Cut(r.harm, " ")
		t.named[kindOf(file)]++
	case r.quarantined > 0:
		t.quarantined++
	default:
		t.harmless++
	}
}

// kindOf leaves the number out of a file's name.
func kindOf(file string) string {
	file = strings.TrimSuffix(file, ",")
	if i := strings.LastIndexByte(file, '.'); i >= 0 {
		return file[i:]
	}
	return file
}

func (t tally) bad() bool { return t.silent > 0 || t.lied > 0 || t.refused > 0 }

func (t tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d stores harmed, %d of them after SIGKILL\n", t.rounds, t.killed)
	fmt.Fprintf(&b, "  %4d lost something without a word\n", t.silent)
	fmt.Fprintf(&b, "  %4d opened, with everything in them\n", t.harmless)
	fmt.Fprintf(&b, "  %4d opened, with accounts that say what they lost\n", t.quarantined)
	fmt.Fprintf(&b, "  %4d said that they are damaged:", t.salvaged)
	for _, file := range slices.Sorted(maps.Keys(t.named)) {
		fmt.Fprintf(&b, " %s %d", file, t.named[file])
	}
	fmt.Fprintf(&b, "\n  %4d did not open for another reason\n", t.refused)
	fmt.Fprintf(&b, "salvaged: %d of %d accounts back; in %d of %d stores all of them; %d that had been deleted came back; %d called complete that were not\n",
		t.back, t.should, t.whole, t.salvaged, t.risen, t.lied)
	return b.String()
}
