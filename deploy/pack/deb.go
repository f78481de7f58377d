package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
)

// deb makes the Debian package that a configuration of nfpm describes, and returns
// its path. In the configuration STAGE and ROOT are directories, VERSION and ARCH
// those of the binary; scripts have paths from the root.
func (s *stage) deb(config, out string) (string, error) {
	values := map[string]string{"STAGE": s.dir, "ROOT": s.root, "VERSION": s.build.Version, "ARCH": s.build.Arch}
	parsed, err := nfpm.ParseFileWithEnvMapping(config, func(name string) string { return values[name] })
	if err != nil {
		return "", fmt.Errorf("%s: %w", config, err)
	}
	info, err := parsed.Get("deb")
	if err != nil {
		return "", fmt.Errorf("%s: %w", config, err)
	}
	for _, script := range []*string{&info.Scripts.PreInstall, &info.Scripts.PostInstall, &info.Scripts.PreRemove, &info.Scripts.PostRemove} {
		if *script != "" {
			*script = filepath.Join(s.root, *script)
		}
	}
	info.MTime = s.build.CommitTime
	info = nfpm.WithDefaults(info)
	var packed bytes.Buffer
	if err := deb.Default.Package(info, &packed); err != nil {
		return "", fmt.Errorf("%s: %w", config, err)
	}
	file := filepath.Join(out, deb.Default.ConventionalFileName(info))
	return file, os.WriteFile(file, packed.Bytes(), 0o644)
}
