package standing

import "slices"

// Kept are the calls that a machine has, as its driver knows them: those that
// Admit parked and that Returned judged, until an OutSend or an OutEnd brings
// each back. The zero value is none, and costs no more than that: most accounts
// have none most of the time.
type Kept[C any] struct{ all map[CallID]C }

// Keep notes a call that the machine has now.
func (k *Kept[C]) Keep(id CallID, call C) {
	if k.all == nil {
		k.all = map[CallID]C{}
	}
	k.all[id] = call
}

// Take returns a call that the machine has no more. It reports whether it was
// there: one that was taken back is not.
func (k *Kept[C]) Take(id CallID) (C, bool) {
	call, ok := k.all[id]
	if delete(k.all, id); len(k.all) == 0 {
		k.all = nil
	}
	return call, ok
}

// TakeAll returns all of them, in the order of their ids: that in which they were
// made.
func (k *Kept[C]) TakeAll() (all []C) {
	var ids []CallID
	for id := range k.all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		all = append(all, k.all[id])
	}
	k.all = nil
	return all
}
