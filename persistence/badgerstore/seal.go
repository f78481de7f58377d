package badgerstore

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/mtfleet/mtfleet/persistence/seal"
)

// sealer seals what is in the database and beside it.
type sealer struct{ *seal.Sealer }

func newSealer(key seal.MasterKey) (*sealer, error) {
	s, err := seal.New(key)
	return &sealer{s}, err
}

// LoadMasterKey is seal.LoadMasterKey for the store in o.StoreDir: it makes no key
// where there is a store already, which no new key could open.
func LoadMasterKey(o seal.KeyOptions) (seal.MasterKey, seal.KeySource, error) {
	if exists(o.StoreDir) {
		o.Sealed = "the store in " + o.StoreDir
	}
	return seal.LoadMasterKey(o)
}

// exists tells whether there is a store in dir, or what is left of one.
func exists(dir string) bool {
	return slices.ContainsFunc([]string{"MANIFEST", headFileName, copyFileName, salvageMarker, rewriteMarker}, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
}
