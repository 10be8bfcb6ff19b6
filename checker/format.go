package checker

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// The first line of a history says which format it has. See docs/formats/operations.md.
const (
	formatName    = "operations"
	formatVersion = 1
	// lineSizeMax bounds a line in bytes: a response of etcd is seldom above a few MiB. A longer
	// line is refused.
	lineSizeMax = 64 << 20
)

// heading is the first line.
type heading struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
}

// line is every other line.
type line struct {
	Client   *int64          `json:"client"`
	Call     *int64          `json:"call"`
	Return   *int64          `json:"return,omitempty"`
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response,omitempty"`
	Error    string          `json:"error,omitempty"`
	Unknown  bool            `json:"unknown,omitempty"`
}

// A LineError is a line of a history that cannot be read. Lines count from 1.
type LineError struct {
	Line   int
	Reason error
}

// Error names the line and the reason.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Reason) }

// Unwrap returns the reason.
func (e *LineError) Unwrap() error { return e.Reason }

// A Writer writes a history. It is not safe for concurrent use. Lines may be in any order, except
// where the types of the requests give the order a meaning.
type Writer[Q, R any] struct {
	buffer *bufio.Writer
}

// NewWriter begins a history.
func NewWriter[Q, R any](out io.Writer) (*Writer[Q, R], error) {
	w := &Writer[Q, R]{bufio.NewWriterSize(out, 1<<16)}
	return w, w.add(heading{formatName, formatVersion})
}

// Write adds an operation. One that is not Valid, or whose types have no JSON, is refused.
func (w *Writer[Q, R]) Write(operation *Operation[Q, R]) error {
	if err := operation.Valid(); err != nil {
		return err
	}
	request, err := json.Marshal(operation.Request)
	if err != nil {
		return err
	}
	l := line{Client: &operation.Client, Call: &operation.Call, Request: request,
		Error: operation.Error, Unknown: operation.Unknown}
	if !operation.Unknown {
		l.Return = &operation.Return
	}
	if operation.Succeeded() {
		if l.Response, err = json.Marshal(operation.Response); err != nil {
			return err
		}
	}
	return w.add(l)
}

// Flush gives everything to the underlying writer.
func (w *Writer[Q, R]) Flush() error { return w.buffer.Flush() }

// add writes one line.
func (w *Writer[Q, R]) add(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = w.buffer.Write(append(text, '\n'))
	return err
}

// A Reader reads a history, line by line. It holds one line at a time.
type Reader[Q, R any] struct {
	scanner *bufio.Scanner
	line    int
}

// NewReader reads the first line. An error is a *LineError, or what the underlying reader returned.
func NewReader[Q, R any](in io.Reader) (*Reader[Q, R], error) {
	r := &Reader[Q, R]{scanner: bufio.NewScanner(in)}
	r.scanner.Buffer(make([]byte, 1<<16), lineSizeMax)
	text, err := r.next()
	if errors.Is(err, io.EOF) {
		return nil, &LineError{1, errors.New("the file is empty")}
	} else if err != nil {
		return nil, err
	}
	var first heading
	if err := strict(text, &first); err != nil || first.Format != formatName {
		return nil, &LineError{r.line, fmt.Errorf(`this is not {"format":%q,"version":%d}`,
			formatName, formatVersion)}
	}
	if first.Version != formatVersion {
		return nil, &LineError{r.line, fmt.Errorf("version %d, known is %d",
			first.Version, formatVersion)}
	}
	return r, nil
}

// Line returns the number of the line that was read last.
func (r *Reader[Q, R]) Line() int { return r.line }

// Read returns the next operation; io.EOF after the last one. Any other error is a *LineError, or
// what the underlying reader returned.
func (r *Reader[Q, R]) Read() (Operation[Q, R], error) {
	var operation Operation[Q, R]
	text, err := r.next()
	if err != nil {
		return operation, err
	}
	if err := parse(text, &operation); err != nil {
		return operation, &LineError{r.line, err}
	}
	return operation, nil
}

// All returns the operations that remain. It ends after the first error.
func (r *Reader[Q, R]) All() iter.Seq2[Operation[Q, R], error] {
	return func(yield func(Operation[Q, R], error) bool) {
		for {
			operation, err := r.Read()
			if errors.Is(err, io.EOF) || !yield(operation, err) || err != nil {
				return
			}
		}
	}
}

// next returns the next line.
func (r *Reader[Q, R]) next() ([]byte, error) {
	r.line++
	if r.scanner.Scan() {
		return r.scanner.Bytes(), nil
	}
	err := r.scanner.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return nil, &LineError{r.line, fmt.Errorf("longer than %d bytes", lineSizeMax)}
	} else if err != nil {
		return nil, fmt.Errorf("line %d: %w", r.line, err)
	}
	return nil, io.EOF
}

// parse reads one operation.
func parse[Q, R any](text []byte, operation *Operation[Q, R]) error {
	var l line
	if err := plain(text); err != nil {
		return err
	}
	if err := strict(text, &l); err != nil {
		return err
	}
	switch {
	case l.Client == nil || l.Call == nil || l.Request == nil:
		return errors.New("client, call and request are needed")
	case l.Unknown && (l.Return != nil || l.Response != nil || l.Error != ""):
		return errors.New("an unknown outcome has no return, response or error")
	case !l.Unknown && l.Return == nil:
		return errors.New("return is needed unless the outcome is unknown")
	case !l.Unknown && (l.Response == nil) == (l.Error == ""):
		return errors.New("one of response, error and unknown is needed")
	}
	operation.Client, operation.Call = *l.Client, *l.Call
	operation.Error, operation.Unknown = l.Error, l.Unknown
	if l.Return != nil {
		operation.Return = *l.Return
	}
	if err := strict(l.Request, &operation.Request); err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if l.Response != nil {
		if err := strict(l.Response, &operation.Response); err != nil {
			return fmt.Errorf("response: %w", err)
		}
	}
	return operation.Valid()
}

// inWords says what is wrong with a JSON value without the names of the types that it is read into.
func inWords(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		if kind.Field == "" {
			return fmt.Errorf("a %s where it cannot be", kind.Value)
		}
		return fmt.Errorf("a %s where it cannot be, in %q", kind.Value, kind.Field)
	}
	return err
}

// strict reads one JSON value: unknown fields, and anything behind it, are errors.
func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if errors.Is(err, io.EOF) { // else a blank line would pass for the end of the history
		return errors.New("a line without a JSON object")
	} else if err != nil {
		return inWords(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}
