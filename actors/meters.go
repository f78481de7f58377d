package actors

import (
	"context"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// A series is one metric: what docs/telemetry.md says of it, and all values that
// its attributes can have.
type series struct {
	name    string // as OpenTelemetry has it; see prometheusName
	kind    seriesKind
	unit    string // "s", "By", or empty for a number of things
	buckets []float64
	attrs   []attr
	// zeros says which of the values it begins with, all where it is nil: a
	// dashboard shows 0 before the first event.
	zeros func(values) bool
	tells string // what it tells
	do    string // what to do when it is high, or not what it should be
}

type seriesKind string

const (
	counts    seriesKind = "counter"
	gauges    seriesKind = "gauge"
	histogram seriesKind = "histogram"
)

// attr is an attribute and the values that it can have. Any other is told as the
// last one, so that nobody, the server least of all, makes series without bound.
type attr struct {
	name   string
	values []string
}

// values are those of a series' attributes, in their order.
type values [3]string

// each calls f with every combination of values.
func (s *series) each(f func(values)) {
	var from func(i int, v values)
	from = func(i int, v values) {
		if i == len(s.attrs) {
			f(v)
			return
		}
		for _, value := range s.attrs[i].values {
			v[i] = value
			from(i+1, v)
		}
	}
	from(0, values{})
}

// bound puts the last value of each attribute in the place of one it cannot have.
func (s *series) bound(v values) values {
	clear(v[len(s.attrs):])
	for i, a := range s.attrs {
		if !slices.Contains(a.values, v[i]) {
			v[i] = a.values[len(a.values)-1]
		}
	}
	return v
}

func (s *series) set(v values) attribute.Set {
	list := make([]attribute.KeyValue, len(s.attrs))
	for i, a := range s.attrs {
		list[i] = attribute.String(a.name, v[i])
	}
	return attribute.NewSet(list...)
}

// A meter of a series. The attributes of all combinations are made at the start:
// to make them anew for every call is as dear as to count it. They do not change,
// so no lock guards them. The zero meter does nothing.
type meter struct {
	*series
	add    map[values][]metric.AddOption    // of counter or upDown
	record map[values][]metric.RecordOption // of gauge or histogram

	counter   metric.Int64Counter
	upDown    metric.Int64UpDownCounter
	gauge     metric.Float64Gauge
	histogram metric.Float64Histogram
}

func adding(s *series) meter {
	x := meter{series: s, add: map[values][]metric.AddOption{}}
	s.each(func(v values) { x.add[v] = []metric.AddOption{metric.WithAttributeSet(s.set(v))} })
	return x
}

func recording(s *series) meter {
	x := meter{series: s, record: map[values][]metric.RecordOption{}}
	s.each(func(v values) { x.record[v] = []metric.RecordOption{metric.WithAttributeSet(s.set(v))} })
	return x
}

// begin makes the zeros.
func (x *meter) begin() {
	if x.series == nil {
		return
	}
	x.each(func(v values) {
		switch {
		case x.zeros != nil && !x.zeros(v):
		case x.counter != nil:
			x.counter.Add(context.Background(), 0, x.add[v]...)
		case x.upDown != nil:
			x.upDown.Add(context.Background(), 0, x.add[v]...)
		case x.gauge != nil:
			x.gauge.Record(context.Background(), 0, x.record[v]...)
		}
	})
}

// count adds n, told by the values of the attributes.
func (x *meter) count(n int, v values) {
	if x.series == nil {
		return
	}
	opts, ok := x.add[v]
	if !ok {
		opts = x.add[x.bound(v)]
	}
	if x.counter != nil {
		x.counter.Add(context.Background(), int64(n), opts...)
	} else {
		x.upDown.Add(context.Background(), int64(n), opts...)
	}
}

// measure records a value, told by the values of the attributes.
func (x *meter) measure(value float64, v values) {
	if x.series == nil {
		return
	}
	opts, ok := x.record[v]
	if !ok {
		opts = x.record[x.bound(v)]
	}
	if x.histogram != nil {
		x.histogram.Record(context.Background(), value, opts...)
	} else {
		x.gauge.Record(context.Background(), value, opts...)
	}
}

// makeCounter and those that follow make the instrument of a series.
func makeCounter(m metric.Meter, s *series) (x meter, err error) {
	x = adding(s)
	x.counter, err = m.Int64Counter(s.name, metric.WithUnit(s.unit), metric.WithDescription(s.tells))
	return x, err
}

func makeUpDown(m metric.Meter, s *series) (x meter, err error) {
	x = adding(s)
	x.upDown, err = m.Int64UpDownCounter(s.name, metric.WithUnit(s.unit), metric.WithDescription(s.tells))
	return x, err
}

func makeGauge(m metric.Meter, s *series) (x meter, err error) {
	x = recording(s)
	x.gauge, err = m.Float64Gauge(s.name, metric.WithUnit(s.unit), metric.WithDescription(s.tells))
	return x, err
}

func makeHistogram(m metric.Meter, s *series) (x meter, err error) {
	x = recording(s)
	x.histogram, err = m.Float64Histogram(s.name, metric.WithUnit(s.unit), metric.WithDescription(s.tells), metric.WithExplicitBucketBoundaries(s.buckets...))
	return x, err
}

// looked is a gauge that is looked up when somebody reads it.
type looked struct {
	*series
	sets   map[values]metric.ObserveOption
	number metric.Int64ObservableGauge
	amount metric.Float64ObservableGauge // of seconds
}

func makeLooked(m metric.Meter, s *series) (x looked, err error) {
	x = looked{series: s, sets: map[values]metric.ObserveOption{}}
	s.each(func(v values) { x.sets[v] = metric.WithAttributeSet(s.set(v)) })
	if s.unit == "s" {
		x.amount, err = m.Float64ObservableGauge(s.name, metric.WithUnit(s.unit), metric.WithDescription(s.tells))
	} else {
		x.number, err = m.Int64ObservableGauge(s.name, metric.WithUnit(s.unit), metric.WithDescription(s.tells))
	}
	return x, err
}

// instrument is what a callback observes.
func (x *looked) instrument() metric.Observable {
	if x.amount != nil {
		return x.amount
	}
	return x.number
}

// tell observes every combination of values, 0 for those that are not in got.
func (x *looked) tell(obs metric.Observer, got map[values]float64) {
	sums := map[values]float64{}
	for v, n := range got {
		sums[x.bound(v)] += n
	}
	for v, set := range x.sets {
		if x.amount != nil {
			obs.ObserveFloat64(x.amount, sums[v], set)
		} else {
			obs.ObserveInt64(x.number, int64(sums[v]), set)
		}
	}
}
