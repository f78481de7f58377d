package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/cmd/manager/about"
)

func (a *app) versionCommand() *cobra.Command {
	var asJSON, sbom bool
	c := &cobra.Command{
		Use: "version", Short: "Print the version, and what this binary is made of", Args: exactly(),
		Long: `version prints the version, the Go toolchain and the platform of this binary.

--json adds the commit, the flags of the build and every module with its version and
sum. --sbom prints the same as a bill of materials, CycloneDX 1.6 in JSON; it has no
licences, for a binary does not know them.`,
		RunE: func(*cobra.Command, []string) error {
			a.asJSON = asJSON
			b := about.Current()
			switch {
			case asJSON && sbom:
				return usage("--sbom is JSON of its own: leave --json out")
			case asJSON:
				return a.printJSON(b)
			case sbom:
				text, err := b.SBOM()
				if err != nil {
					return err
				}
				_, err = a.out.Write(text)
				return err
			}
			_, err := fmt.Fprintf(a.out, "mtfleet %s (%s, %s/%s)\n", b.Version, b.Go, b.OS, b.Arch)
			return err
		},
	}
	c.Flags().BoolVar(&sbom, "sbom", false, "print a bill of materials, CycloneDX in JSON")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output, and errors as JSON to standard error")
	return c
}

// version is the module's version as the Go tool knows it; "dev" in a build from
// a working tree without one.
func version() string { return about.Current().Version }
