package main

import "github.com/mtfleet/mtfleet/mtproto/dctest"

// liveTempKeys reads from the ledger how many temp keys of one slot a DC knew at
// any one time, and how many it knows now, each the most of any slot.
func liveTempKeys(keys []dctest.KeyRecord) (most, now int) {
	for _, slot := range (dctest.Ledger{Keys: keys}).TempKeySlots() {
		most, now = max(most, slot.Most), max(now, slot.Now)
	}
	return most, now
}
