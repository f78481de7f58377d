package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// input is standard input as lines, for who may stop waiting for one: what comes
// afterwards is kept for the next who asks.
type input struct {
	tty     *os.File // the terminal at which a person is asked; nil for none
	lines   *bufio.Reader
	pending chan typed // the read under way, where there is no terminal
	kept    *typed     // came too late for who had waited
}

type typed struct {
	line string
	err  error
}

// maxLine bounds a line of standard input.
const maxLine = 64 << 10

// newInput reads lines of in. With asLines nobody is asked, terminal or not.
func newInput(in io.Reader, asLines bool) *input {
	i := &input{lines: bufio.NewReaderSize(in, maxLine)}
	if tty, ok := terminal(in); ok && !asLines {
		i.tty = tty
	}
	return i
}

// next waits for a line, without its end, or for ctx. At the end of the input it
// fails with io.EOF.
func (i *input) next(ctx context.Context) (string, error) {
	if t := i.kept; t != nil {
		i.kept = nil
		return t.line, t.err
	}
	if i.tty != nil {
		return i.nextTyped(ctx)
	}
	if i.pending == nil {
		i.pending = make(chan typed, 1)
		go func(to chan typed) { to <- i.read() }(i.pending)
	}
	select {
	case t := <-i.pending:
		i.pending = nil
		return t.line, t.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// keep gives a line back that nobody took, for the next who asks.
func (i *input) keep(t typed) {
	if t.err == nil {
		i.kept = &t
	}
}

// lookEvery is how long a terminal is waited for before ctx is looked at.
const lookEvery = 100 * time.Millisecond

// nextTyped reads no line before there is one: another read of the terminal, of a
// password, may be the next.
func (i *input) nextTyped(ctx context.Context) (string, error) {
	for i.lines.Buffered() == 0 && !readable(i.tty, lookEvery) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
	}
	t := i.read()
	return t.line, t.err
}

func (i *input) read() typed {
	b, err := i.lines.ReadSlice('\n')
	line := withoutEnd(string(b))
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return typed{"", usage("account login: a line of standard input is too long")}
	case errors.Is(err, io.EOF) && line != "":
		err = nil // the next one is the end
	}
	return typed{line, err}
}
