package badgerstore

import "testing"

// When this fails, golang.org/x/sys has changed: see mapping_linux.go.
func TestFilesGetTheirBlocksBeforeTheyAreMapped(t *testing.T) {
	if !stores.hooked {
		t.Fatal("what maps files is not what it was: a full disk can kill the process")
	}
}
