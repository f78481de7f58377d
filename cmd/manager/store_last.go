package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/persistence/backup"
)

// lastBackup is a file of the data directory that says when the store was last
// backed up. It lies beside the store and not in it: who makes backups is no owner
// of the store.
const lastBackupName = "last-backup.json"

type lastBackup struct {
	Created time.Time `json:"created"`
	Commit  uint64    `json:"commit"` // the last that is in it
	File    string    `json:"file"`   // - is standard output
}

// noteBackup remembers a backup that holds everything. dataDir is store.dir.
func noteBackup(dataDir, path string, r *backup.Report) error {
	if path != "-" {
		path = absolute(path)
	}
	b, err := json.Marshal(lastBackup{r.Created, r.Commit, path})
	if err == nil {
		err = writeFile(filepath.Join(dataDir, lastBackupName), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("the backup is good, but when it was made could not be noted in %s: %w", dataDir, bareError(err))
	}
	return nil
}

// backedUp is when the store of a data directory was last backed up; zero for never.
func backedUp(dataDir string) (time.Time, error) {
	name := filepath.Join(dataDir, lastBackupName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	var last lastBackup
	if err == nil {
		err = json.Unmarshal(b, &last)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%s cannot be read: %w", name, bareError(err))
	}
	return last.Created, nil
}
