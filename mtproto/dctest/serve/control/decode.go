package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// decode reads the body of a request into a struct, field by field, so that an error names its field. It returns the
// fields that were given, sorted.
func decode(r *http.Request, v any) (given []string, err error) {
	if err := params(r); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r.Body)
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return nil, (&problem{Error: fmt.Sprintf("the body is longer than %d bytes", long.Limit), status: http.StatusRequestEntityTooLarge}).asError()
	}
	if err != nil {
		return nil, err
	}
	allowed := fieldsOf(reflect.TypeOf(v).Elem())
	names := slices.Sorted(maps.Keys(allowed))
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return nil, (&problem{Error: "the body is not one JSON object", Allowed: names}).asError()
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		t, known := allowed[name]
		if !known {
			return nil, (&problem{Error: "there is no such field", Field: name, Allowed: names}).asError()
		}
		one := append(append(append([]byte(`{"`+name+`":`), fields[name]...), '}'), '\n')
		if json.Unmarshal(one, v) != nil {
			return nil, bad(name, "%s wants %s", name, wants(t))
		}
		given = append(given, name)
	}
	return given, nil
}

// jsonField is a field and whether its number is written in quotes.
type jsonField struct {
	typ    reflect.Type
	quoted bool
}

// fieldsOf lists the JSON fields of a struct.
func fieldsOf(t reflect.Type) map[string]jsonField {
	out := map[string]jsonField{}
	for f := range t.Fields() {
		if f.Anonymous {
			maps.Copy(out, fieldsOf(f.Type))
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = jsonField{f.Type, strings.Contains(options, "string")}
	}
	return out
}

// wants says what a field may be.
func wants(f jsonField) string {
	switch f.typ {
	case reflect.TypeFor[dctest.Duration]():
		return `a duration, such as "1.5s"`
	case reflect.TypeFor[time.Time]():
		return `a time, such as "2030-01-02T15:04:05Z"`
	}
	switch f.typ.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list, as docs/testdc.md shows it"
	}
	if f.quoted {
		return `an integer in quotes, such as "-123": JavaScript's numbers are too short for it`
	}
	return "an integer"
}

// need refuses a request without one of the fields.
func need(given []string, fields ...string) error {
	for _, f := range fields {
		if !slices.Contains(given, f) {
			return bad(f, "%s is missing", f)
		}
	}
	return nil
}

// params refuses parameters other than those named.
func params(r *http.Request, names ...string) error {
	for _, name := range slices.Sorted(maps.Keys(r.URL.Query())) {
		if !slices.Contains(names, name) {
			return (&problem{Error: "there is no such parameter", Field: name, Allowed: names}).asError()
		}
	}
	return nil
}

// Bounds of a page.
const (
	defaultLimit = 1000
	maxLimit     = 10000
)

// page is which records of a list are wanted.
type page struct{ from, limit int }

func pageOf(r *http.Request) (p page, err error) {
	if p.from, err = number(r, "from", 0, 0, 1<<53); err != nil {
		return p, err
	}
	p.limit, err = number(r, "limit", defaultLimit, 1, maxLimit)
	return p, err
}

func number(r *http.Request, name string, def, least, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, bad(name, "%s is %d to %d", name, least, most)
	}
	return n, nil
}

// flag reads a parameter that is true or false; one that is not there is false.
func flag(r *http.Request, name string) (bool, error) {
	switch r.URL.Query().Get(name) {
	case "true":
		return true, nil
	case "", "false":
		return false, nil
	}
	return false, bad(name, "%s is true or false", name)
}

// cut is a page of a list, never nil.
func cut[T any](list []T, p page) []T {
	from := min(p.from, len(list))
	return append([]T{}, list[from:min(from+p.limit, len(list))]...)
}
