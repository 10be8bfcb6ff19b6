package replica

// Inputs are what has gathered for a member since its last turn.
type Inputs struct {
	Now            Time            // on its clock, when the turn begins
	Written        *Write          // it is durable, or to be executed again; nil: none has ended
	BackgroundDone *BackgroundTask // the same
	Messages       []Message
	Requests       []Input // in the order in which it came
}

// InputKind tells what an Input is.
type InputKind uint8

// The kinds of input. Those before InputForget are answered.
const (
	InputSubmit      InputKind = iota // Submit Data
	InputRead                         // Read
	InputQuery                        // QueryLeader, with Data
	InputChange                       // Change, with Changes
	InputView                         // what Machine.View returns at the end of the turn
	InputMatch                        // Match of Member: its Answer carries a [2]Index
	InputDefragment                   // Defragment
	InputForget                       // Forget
	InputTransfer                     // Transfer to Member
	InputUnreachable                  // Unreachable, said of Member
	InputCheckpoint                   // Checkpoint
)

// An Input is something that a member is told by its clients or its driver.
type Input struct {
	Kind    InputKind
	ID      RequestID
	Member  MemberID
	Data    []byte
	Changes []Change
}

// Turn tells the member all that has gathered, and returns what the world owes it. It is the whole
// life of a member: drivers gather, call it, and carry out what it returns.
//
// The clock comes first: a leader that was stopped (SIGSTOP, a suspended machine) must learn how
// late it is before it learns what waits for it. Then comes what its disk has done, for others wait
// for that; then messages, so that requests meet a member that knows what the others have told it.
// All effects are taken at once, so what came together shares a write, a raft entry and a round.
func (r *Replica) Turn(in *Inputs) Effects {
	r.Tick(in.Now)
	if in.Written != nil {
		r.Done(in.Written)
	}
	if in.BackgroundDone != nil {
		r.BackgroundDone(in.BackgroundDone)
	}
	for i := range in.Messages {
		r.Receive(in.Messages[i])
	}
	for i := range in.Requests {
		r.input(&in.Requests[i])
	}
	out := r.Take()
	for i := range in.Requests {
		if in.Requests[i].Kind == InputView {
			if out.View == nil {
				out.View = r.machine.View()
			}
			out.Answers = append(out.Answers,
				Answer{ID: in.Requests[i].ID, Value: out.View, Index: r.applied})
		}
	}
	return out
}

func (r *Replica) input(in *Input) {
	switch in.Kind {
	case InputSubmit:
		r.Submit(in.ID, in.Data)
	case InputRead:
		r.Read(in.ID)
	case InputQuery:
		r.QueryLeader(in.ID, in.Data)
	case InputChange:
		r.Change(in.ID, in.Changes)
	case InputMatch:
		match, own, err := r.Match(in.Member)
		r.answer(Answer{ID: in.ID, Value: [2]Index{match, own}, Err: err})
	case InputDefragment:
		r.Defragment(in.ID)
	case InputForget:
		r.Forget(in.ID)
	case InputTransfer:
		r.Transfer(in.Member)
	case InputUnreachable:
		r.Unreachable(in.Member)
	case InputCheckpoint:
		r.Checkpoint()
	}
}
