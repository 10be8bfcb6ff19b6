package etcd

import (
	"fmt"
	"io"

	"detcd/checker"
)

// Read reads a whole history in the format of docs/formats/operations.md. What cannot be read, and
// a second watch of one number, is a *checker.LineError.
func Read(in io.Reader) ([]Operation, error) {
	reader, err := checker.NewReader[Request, *Response](in)
	if err != nil {
		return nil, err
	}
	var history []Operation
	watches := map[int64]int{}
	for operation, err := range reader.All() {
		if err != nil {
			return nil, err
		}
		if watch, ok := operation.Request.Ask.(*Watch); ok {
			if line := watches[watch.Watch]; line > 0 {
				return nil, &checker.LineError{Line: reader.Line(),
					Reason: fmt.Errorf("watch %d is that of line %d", watch.Watch, line)}
			}
			watches[watch.Watch] = reader.Line()
		}
		history = append(history, operation)
	}
	return history, nil
}
