package checker

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// A Model is the sequential specification of a system with states of type S.
type Model[Q, R, S any] struct {
	// Init returns the state before the first operation.
	Init func() S
	// Step tells whether an operation that happens in a state may have the outcome that it has, and
	// returns the state after it. It must not change the given state. With an unknown outcome it
	// may return any; a failed operation has no effect.
	Step func(S, *Operation[Q, R]) (bool, S)
	// Equal tells whether two states are the same. It may be nil if S is comparable.
	Equal func(a, b S) bool
	// Hash returns equal numbers for equal states. It may be nil; the search is slower then.
	Hash func(S) uint64
}

// Linearizable searches for an order of the operations that a model explains, and gives up after a
// time (0: never). It takes exponential time in the worst case. Intervals are closed: an operation
// that returned when another one was called is concurrent with it.
func Linearizable[Q, R, S any](
	model Model[Q, R, S], history []Operation[Q, R], limit time.Duration) Verdict {
	result, _ := search(model, history, limit, false)
	return result
}

// Draw writes porcupine's picture of a search as a page: the operations over time, and the longest
// order that explains some of them. describe says in a few words what an operation was.
func Draw[Q, R, S any](out io.Writer, model Model[Q, R, S], history []Operation[Q, R],
	describe func(*Operation[Q, R]) string, limit time.Duration) (Verdict, error) {
	result, info := search(model, history, limit, true)
	adapted := adapt(model)
	adapted.DescribeOperation = func(input, _ any) string {
		return describe(input.(*Operation[Q, R]))
	}
	adapted.DescribeState = func(any) string { return "" }
	return result, porcupine.Visualize(adapted, info, out)
}

// search runs porcupine, if wanted with the information that its picture needs.
func search[Q, R, S any](model Model[Q, R, S], history []Operation[Q, R], limit time.Duration,
	verbose bool) (Verdict, porcupine.LinearizationInfo) {
	var end int64
	for i := range history {
		end = max(end, history[i].Call, history[i].Return)
	}
	operations := make([]porcupine.Operation, len(history))
	for i := range history {
		o := &history[i]
		operations[i] = porcupine.Operation{ClientId: int(o.Client), Input: o,
			Call: o.Call, Return: o.Return}
		if o.Unknown { // it may come last, and then it is as if it never happened
			operations[i].Return = end + 1
		}
	}
	if verbose {
		result, info := porcupine.CheckOperationsVerbose(adapt(model), operations, limit)
		return verdict(result), info
	}
	result := porcupine.CheckOperationsTimeout(adapt(model), operations, limit)
	return verdict(result), porcupine.LinearizationInfo{}
}

// adapt gives a model the types that porcupine wants.
func adapt[Q, R, S any](model Model[Q, R, S]) porcupine.Model {
	adapted := porcupine.Model{
		Init: func() any { return model.Init() },
		Step: func(state, input, _ any) (bool, any) {
			return model.Step(state.(S), input.(*Operation[Q, R]))
		},
	}
	if model.Equal != nil {
		adapted.Equal = func(a, b any) bool { return model.Equal(a.(S), b.(S)) }
	}
	if model.Hash != nil {
		adapted.Hash = func(state any) uint64 { return model.Hash(state.(S)) }
	}
	return adapted
}

// verdict translates.
func verdict(result porcupine.CheckResult) Verdict {
	switch result {
	case porcupine.Ok:
		return Holds
	case porcupine.Illegal:
		return Violated
	}
	return Undecided
}

// Certify checks the claim that an order explains a history: the order holds indices of operations,
// none twice; every operation that returned is in it; replayed in that order each has the outcome
// that the model allows; and none comes after one that was called when it had already returned. The
// error says which of these fails first, and nothing is the proof that the history is linearizable.
func Certify[Q, R, S any](
	model Model[Q, R, S], history []Operation[Q, R], order []int32) error {
	placed := make([]bool, len(history))
	state, latest, last := model.Init(), int64(0), -1
	for _, i := range order {
		if i < 0 || int(i) >= len(history) || placed[i] {
			return fmt.Errorf("operation %d is not there, or comes twice", i)
		}
		o := &history[i]
		if last >= 0 && !o.Unknown && o.Return < latest {
			return fmt.Errorf("operation %d returned before operation %d was called, "+
				"and comes after it", i, last)
		}
		if last < 0 || o.Call > latest {
			latest, last = o.Call, int(i)
		}
		placed[i] = true
		fits := false
		if fits, state = model.Step(state, o); !fits {
			return fmt.Errorf("operation %d cannot have had its outcome there", i)
		}
	}
	for i := range history {
		if !placed[i] && !history[i].Unknown {
			return fmt.Errorf("operation %d returned and is not in the order", i)
		}
	}
	return nil
}

// Window returns the indices of the operations that may have happened between the call of the first
// and the return of the last of the given ones, by call. It is what to look at around a violation.
func Window[Q, R any](history []Operation[Q, R], around []int32) ([]int32, error) {
	if len(around) == 0 {
		return nil, errors.New("a window around nothing")
	}
	first, last := history[around[0]].Call, history[around[0]].Call
	for _, i := range around {
		first, last = min(first, history[i].Call), max(last, history[i].Call)
		if !history[i].Unknown {
			last = max(last, history[i].Return)
		}
	}
	var window []int32
	for i := range history {
		o := &history[i]
		if o.Call <= last && (o.Unknown || o.Return >= first) {
			window = append(window, int32(i))
		}
	}
	slices.SortStableFunc(window, func(a, b int32) int { return byCall(history[a], history[b]) })
	return window, nil
}
