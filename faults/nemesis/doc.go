// Package nemesis does to real processes what the simulator does to simulated ones: it starts a
// cluster of server processes, kills them, pauses them and starts them again.
//
// # Problem
//
// A simulated crash proves the protocol. It does not prove that the file descriptor was synced,
// that the lock of the data directory is freed by the kernel, or that the binary starts again at
// all. For that a real process must die at a real moment, and it must be easy to write down what
// happens to whom.
//
// # Picture
//
//	test, demo, torture, bench
//	        │ Kill, Pause, Start                 Status, Leader
//	        ▼                                        ▲
//	     Cluster ── Member m1 ── process ── client port, peer port ── m1.etcd/  m1.log
//	             ├─ Member m2 ── process ── ...
//	             └─ Member m3 ── process ── ...
//
// Everything lies in one directory that the caller chose: a data directory and a log for each
// member. The package speaks only etcd's flags and etcd's wire protocol, so it drives detcd and
// etcd alike.
//
// # Example
//
//	cluster, err := nemesis.Launch(ctx, nemesis.Options{Binary: "bin/detcd", Members: 3, Dir: dir})
//	if err != nil {
//		return err
//	}
//	defer cluster.Close()
//	leader, err := cluster.Leader(ctx)
//	...
//	leader.Kill()  // SIGKILL; returns when the process is gone
//	leader.Start() // the same data directory, the same ports
//
// # Invariants
//
//  1. After Kill, Stop or Close returned, the process is gone and was waited for: its ports and the
//     lock of its directory are free.
//  2. A process that ends without having been asked to is told apart from one that was: Exited
//     returns an error with the end of its log.
//  3. No process outlives this one, not even after SIGKILL of this one (Linux).
//  4. The ports are outside the range that the kernel gives to outgoing connections, so that no
//     client takes the port of a member while the member is down.
//
// # What it does not do
//
// It breaks no network and no disk yet: kill, stop and pause only. It judges nothing; that is the
// work of the caller. It removes no files.
package nemesis
