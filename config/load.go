package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
)

// Options say what to read.
type Options struct {
	// File is the configuration file. Empty: the one MTFLEET_CONFIG names,
	// else DefaultFile if it exists, else none.
	File string
	// Env is the environment, as os.Environ returns it.
	Env []string
	// Flags are the settings given on the command line, by name.
	Flags map[string]string
	// Version is the default of device.app_version; empty means "dev".
	Version string
	// Offline is for commands that talk to no DC: api_id and api_hash may be
	// missing.
	Offline bool
	// Official tells what belongs to an official app and is refused; with the
	// zero value nothing is refused here, but whoever opens the accounts does.
	Official Official
}

// Official tells what belongs to an official app. The lists are package
// actors'; this package imports nothing and is handed them.
type Official struct {
	ID   func(id int) string      // the app that an api_id was published with, or ""
	Word func(text string) string // the word by which such an app calls itself, or ""
}

func (o Official) id(id int) string {
	if o.ID == nil {
		return ""
	}
	return o.ID(id)
}

func (o Official) word(text string) string {
	if o.Word == nil {
		return ""
	}
	return o.Word(text)
}

// env looks a variable up; the last one of a name counts.
func (o Options) env(name string) (value string) {
	for _, kv := range o.Env {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			value = v
		}
	}
	return value
}

// Load reads, fills in and validates a configuration. The error is an *Error with
// every problem found.
func Load(o Options) (*Config, error) {
	cfg, problems := Check(o)
	if len(problems) > 0 {
		return nil, &Error{problems}
	}
	return cfg, nil
}

// Check does what Load does, and returns the configuration as far as it could be
// read, together with its problems.
func Check(o Options) (*Config, []Problem) {
	l := &loader{o: o, k: koanf.New("."), cfg: Default()}
	l.cfg.sources = map[string]Source{}
	l.readFile()
	l.readEnv()
	l.readFlags()
	l.bind()
	l.cfg.derive(o)
	bad := map[string]bool{} // what could not be read is not judged as well
	for _, p := range l.problems {
		bad[root(p.Path)] = true
	}
	if bad[""] { // without its file, everything would be missing
		return l.cfg, l.problems
	}
	for _, p := range l.cfg.validate(o.Official, o.Offline) {
		if !bad[root(p.Path)] {
			p.Source = l.sourceOf(p.Path)
			l.problems = append(l.problems, p)
		}
	}
	return l.cfg, l.problems
}

// root returns the setting that a problem's path is about: "dcs" for "dcs[2].addr".
func root(path string) string {
	name, _, _ := strings.Cut(path, "[")
	return name
}

// loader is a configuration being read.
type loader struct {
	o        Options
	k        *koanf.Koanf // what was given, by setting; later layers override
	cfg      *Config
	file     string
	lines    map[string]int // of the file
	problems []Problem
}

func (l *loader) problem(path, message string, source Source) {
	l.problems = append(l.problems, Problem{path, message, source})
}

// sourceOf returns where a value came from, as exactly as possible.
func (l *loader) sourceOf(path string) Source {
	s := l.cfg.sources[root(path)]
	if line := l.lines[path]; s.File != "" && line > 0 {
		s.Line = line
	}
	return s
}

// Path returns the configuration file that is read, and whether it was named: one
// that was not need not be there. It is "" where there can be none.
func (o Options) Path() (file string, named bool) {
	if file = o.File; file == "" {
		file = o.env("MTFLEET_CONFIG")
	}
	if file != "" {
		return file, true
	}
	return DefaultFile(o.Env), false
}

func (l *loader) readFile() {
	file, named := l.o.Path()
	if file == "" {
		return
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return
	}
	source := Source{File: file}
	if err != nil {
		why := cause(err)
		if errors.Is(err, syscall.EISDIR) {
			why = "it is a directory: name the file in it"
		}
		l.problem("", "cannot read the file: "+why, source)
		return
	}
	l.file = file
	if l.lines, err = linesOf(text); err == nil {
		err = l.k.Load(rawbytes.Provider(text), yaml.Parser())
	}
	if err != nil {
		l.problem("", yamlMessage(err), source)
		return
	}
	for _, key := range l.k.Keys() {
		source.Line = l.lines[key]
		_, isField := fieldAt(key)
		switch {
		case isField:
			l.cfg.sources[key] = source
		case isSection(key):
			if given := l.k.Get(key); given != nil && !isEmptyMap(given) {
				l.problem(key, "this is a section: its settings go below it, indented", source)
			}
		default:
			l.problem(key, unknown("setting", key, Settings()), source)
		}
	}
}

func isEmptyMap(v any) bool {
	m, ok := v.(map[string]any)
	return ok && len(m) == 0
}

// cause is an error of the file system without the path, which is named anyway.
func cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

func (l *loader) readEnv() {
	byName := map[string]field{}
	known := slices.Clone(otherVariables)
	for _, f := range fields {
		byName[f.env()] = f
		known = append(known, f.env())
	}
	given := map[string]any{}
	for _, kv := range l.o.Env {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, envPrefix) || strings.HasPrefix(name, envPrefix+"TEST_") || slices.Contains(otherVariables, name) {
			continue
		}
		f, ok := byName[name]
		if !ok {
			l.problem(name, unknown("variable", name, known), Source{})
			continue
		}
		given[f.path] = value
		l.cfg.sources[f.path] = Source{Env: name}
	}
	l.layer(given)
}

func (l *loader) readFlags() {
	given := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(l.o.Flags)) {
		if _, ok := fieldAt(name); !ok {
			l.problem(name, unknown("setting", name, Settings()), Source{Flag: true})
			continue
		}
		given[name] = l.o.Flags[name]
		l.cfg.sources[name] = Source{Flag: true}
	}
	l.layer(given)
}

// layer puts values over the ones so far.
func (l *loader) layer(given map[string]any) {
	// Settings that a broken file put in the way ("store: 5") give place.
	for name := range given {
		if section, _, ok := strings.Cut(name, "."); ok && !l.k.Exists(name) {
			if _, isMap := l.k.Get(section).(map[string]any); !isMap {
				l.k.Delete(section)
			}
		}
	}
	if err := l.k.Load(confmap.Provider(given, "."), nil); err != nil {
		l.problem("", err.Error(), Source{})
	}
}

// bind converts what was given and puts it in the configuration.
func (l *loader) bind() {
	for _, f := range fields {
		source, given := l.cfg.sources[f.path]
		if !given {
			continue
		}
		v := l.k.Get(f.path)
		if v == nil {
			continue // "setting:" with nothing behind it: the default
		}
		b := binder{loader: l, path: f.path, source: source}
		b.set(f.at(l.cfg), v)
	}
}

// resolve turns a path as given into one to use.
func (l *loader) resolve(p string, source Source) string {
	if rest, ok := strings.CutPrefix(p, "~/"); ok {
		if home := l.o.env("HOME"); home != "" {
			return filepath.Join(home, rest)
		}
	}
	if p != "" && !filepath.IsAbs(p) && source.File != "" {
		return filepath.Join(filepath.Dir(source.File), p)
	}
	return p
}
