// Package faults says what goes wrong in a run, and when. A Plan is data: it can be printed, read
// back, drawn from a seed and shrunk line by line.
//
//	1.5s for 3s isolate members=2
//	2s for 800ms sync-slow members=1 amount=120
//	4.2s for 1s crash-torn members=3
//
// A line is a time, how long the fault lasts if it does, its kind, and what the kind needs: whom it
// befalls, the other side, how much. Table describes the kinds. The package decides; the simulator
// carries out what was decided, and faults/nemesis does the same to real processes.
package faults
