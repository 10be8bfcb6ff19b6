package checker_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"detcd/checker"
)

// register is a register of numbers: a write has a number, a read has none.
type write struct {
	Number *int `json:"number,omitempty"`
}

type operation = checker.Operation[write, int]

func model() checker.Model[write, int, int] {
	return checker.Model[write, int, int]{
		Init: func() int { return 0 },
		Step: func(state int, o *operation) (bool, int) {
			if o.Request.Number != nil {
				return true, *o.Request.Number
			}
			return o.Unknown || o.Response == state, state
		},
	}
}

func put(client, call, returned int64, number int) operation {
	return operation{Client: client, Call: call, Return: returned, Request: write{&number}}
}

func get(client, call, returned int64, number int) operation {
	return operation{Client: client, Call: call, Return: returned, Response: number}
}

func lost(o operation) operation {
	o.Unknown, o.Return = true, 0
	return o
}

func TestARegisterIsJudged(t *testing.T) {
	for _, c := range []struct {
		name    string
		history []operation
		want    checker.Verdict
	}{
		{"nothing", nil, checker.Holds},
		{"read what was written", []operation{put(1, 0, 1, 5), get(2, 2, 3, 5)}, checker.Holds},
		{"a stale read", []operation{put(1, 0, 1, 5), get(2, 2, 3, 0)}, checker.Violated},
		{"a concurrent read", []operation{put(1, 0, 3, 5), get(2, 3, 4, 0)}, checker.Holds},
		{"lost, it happened", []operation{lost(put(1, 0, 0, 5)), get(2, 8, 9, 5)}, checker.Holds},
		{"lost, it did not", []operation{lost(put(1, 0, 0, 5)), get(2, 8, 9, 0)}, checker.Holds},
		{"lost, it happened before its call", []operation{
			get(2, 1, 2, 5), lost(put(1, 4, 0, 5))}, checker.Violated},
		{"there and back", []operation{lost(put(1, 0, 0, 5)), get(2, 1, 2, 5), get(2, 3, 4, 0)},
			checker.Violated},
	} {
		if got := checker.Linearizable(model(), c.history, 0); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAClaimedOrderIsChecked(t *testing.T) {
	history := []operation{put(1, 0, 1, 5), get(2, 2, 3, 5), lost(put(3, 0, 0, 6))}
	for _, c := range []struct {
		order []int32
		fault string
	}{
		{[]int32{0, 1}, ""},
		{[]int32{2, 0, 1}, ""},
		{[]int32{0, 2, 1}, "cannot have had"},
		{[]int32{1, 0}, "cannot have had"},
		{[]int32{0}, "not in the order"},
		{[]int32{0, 0, 1}, "comes twice"},
		{[]int32{0, 9}, "is not there"},
	} {
		err := checker.Certify(model(), history, c.order)
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%v: %v, want %q", c.order, err, c.fault)
		}
	}
	late := []operation{get(1, 0, 1, 5), put(2, 2, 3, 5)}
	if err := checker.Certify(model(), late, []int32{1, 0}); err == nil {
		t.Error("an order against the clock was believed")
	}
}

func TestAWindowHoldsWhatIsConcurrent(t *testing.T) {
	history := []operation{put(1, 0, 1, 5), get(2, 2, 6, 5), lost(put(3, 0, 0, 6)), get(4, 5, 9, 5)}
	window, err := checker.Window(history, []int32{1})
	if want := []int32{2, 1, 3}; err != nil || !reflect.DeepEqual(window, want) {
		t.Errorf("%v, %v; want %v", window, err, want)
	}
}

// text writes a history.
func text(t testing.TB, history []operation) []byte {
	t.Helper()
	var buffer bytes.Buffer
	w, err := checker.NewWriter[write, int](&buffer)
	if err != nil {
		t.Fatal(err)
	}
	for i := range history {
		if err := w.Write(&history[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// parse reads a history.
func parse(in []byte) ([]operation, error) {
	r, err := checker.NewReader[write, int](bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	var history []operation
	for o, err := range r.All() {
		if err != nil {
			return history, err
		}
		history = append(history, o)
	}
	return history, nil
}

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var history []operation
		for range random.IntN(5) {
			call := random.Int64() - 1<<62
			o := put(random.Int64(), call, call+random.Int64N(1<<40), random.Int())
			switch random.IntN(4) {
			case 0:
				o = lost(o)
			case 1:
				o.Error = "no <way> \u2028 ü"
			case 2:
				o.Response, o.Request = random.Int(), write{}
			}
			history = append(history, o)
		}
		got, err := parse(text(t, history))
		if err != nil || !reflect.DeepEqual(got, history) {
			t.Fatalf("%+v, %v; want %+v", got, err, history)
		}
	}
}

func TestAnUnreadableLineIsNamed(t *testing.T) {
	const first = `{"format":"operations","version":1}` + "\n"
	const good = `{"client":1,"call":2,"return":3,"request":{},"response":4}` + "\n"
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{"", 1, "empty"},
		{good, 1, "this is not"},
		{`{"format":"operations","version":2}`, 1, "version 2"},
		{first + good + "{", 3, "unexpected EOF"},
		{first + good + "\n" + good, 3, "without a JSON"},
		{first + `{"client":1,"call":2,"request":{},"response":4}`, 2, "return is needed"},
		{first + `{"client":1,"call":2,"return":3,"request":{}}`, 2, "one of response"},
		{first + `{"client":1,"call":2,"return":1,"request":{},"response":4}`, 2, "before the call"},
		{first + `{"client":1,"call":2,"return":2,"request":{},"unknown":true}`, 2, "has no return"},
		{first + `{"call":2,"return":2,"request":{},"response":1}`, 2, "are needed"},
		{first + `{"client":1,"call":2,"return":2,"request":{"x":1},"response":1}`, 2, "unknown field"},
		{first + good + strings.TrimSpace(good) + " x\n", 3, "something follows"},
		{first + `{"Client":1,"call":2,"return":2,"request":{},"response":1}`, 2, "lower case"},
		{first + `{"client":1,"call":2,"call":3,"return":3,"request":{},"response":1}`, 2, "twice"},
		{first + `{"client":1,"call":2,"return":2,"request":{"number":null},"response":1}`, 2, "null"},
		{first + `{"client":1,"call":2,"return":2,"request":{},"response":"x"}`, 2, "a string where"},
		{first + `{"client":1,"call":2,"return":2,"request":{},"error":"` + "\xff" + `"}`, 2, "UTF-8"},
		{first + `{"client":1,"call":2,"return":2,"request":{},"error":"\ud800x"}`, 2, "half of a pair"},
		{first + strings.Repeat("[", 1<<20), 2, "nested deeper"},
	} {
		_, err := parse([]byte(c.text))
		var unreadable *checker.LineError
		if !errors.As(err, &unreadable) || unreadable.Line != c.line ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want line %d: %q", c.text, err, c.line, c.want)
		}
	}
}

func TestAnImpossibleOperationIsNotWritten(t *testing.T) {
	w, err := checker.NewWriter[write, int](&bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	backwards := get(1, 5, 4, 0)
	if err := w.Write(&backwards); err == nil {
		t.Error("an operation that returned before its call was written")
	}
}

func FuzzReader(f *testing.F) {
	f.Add(text(f, []operation{put(1, 0, 1, 5), get(2, 2, 3, 5), lost(put(3, 0, 0, 6))}))
	f.Fuzz(func(t *testing.T, in []byte) {
		history, err := parse(in)
		if err != nil {
			return
		}
		again, err := parse(text(t, history))
		if err != nil || len(again) != len(history) {
			t.Fatalf("%+v does not survive being written: %v", history, err)
		}
	})
}
