package dashboard

import (
	"bytes"
	"embed"
	"hash/fnv"
	"io/fs"
	"net/http"
	"strconv"
	"time"
)

//go:embed assets
var assets embed.FS

// assetVersion is a digest of all of them, so that a browser keeps those of this build
// alone.
var assetVersion = func() string {
	h := fnv.New64a()
	_ = fs.WalkDir(assets, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := assets.ReadFile(path)
		_, _ = h.Write(b)
		return err
	})
	return strconv.FormatUint(h.Sum64(), 36)
}()

// Assets are what its pages load, for a page of another server that is to look as they do.
func Assets() fs.FS {
	files, err := fs.Sub(assets, "assets")
	if err != nil { // for a name that is no path
		panic(err)
	}
	return files
}

func assetURL(name string) string { return "/assets/" + name + "?v=" + assetVersion }

// asset serves what pages load. It is the same for everybody, and asks for no session.
func asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	b, err := assets.ReadFile("assets/" + name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if r.URL.Query().Get("v") == assetVersion {
		w.Header().Set("Cache-Control", "private, max-age=86400, immutable")
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(b))
}
