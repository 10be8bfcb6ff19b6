// Package nemesis does to real processes what the simulator does to simulated ones: it starts a
// cluster of servers, kills, pauses and replaces them, and breaks the network between them.
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
// A Conductor carries out a faults.Plan on a cluster; Draw makes one from a seed. Plans name kinds
// of fault as those of the simulator do, as far as real processes can be made to have them.
//
// # The network
//
// The members of a Relayed network find each other at addresses of this process, which carries what
// they say, or not:
//
//	m1 ──► address of m2 ──► relay: whose connection is it? ── wire m1→m2 ──► m2
//	                                                        ◄─ wire m2→m1 ──
//
// Each direction between two members is a wire that can be cut or slow. Bytes are never lost, since
// TCP would send them again; they wait. To the members that is the same as a network that loses
// packets, but for time-outs of the kernel.
//
// A Spaced network does the same with network namespaces, where the packets of a cut direction go
// to nobody; it can be cut, but not slow.
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
//
//  2. A process that ends without having been asked to is told apart from one that was: Exited
//     returns an error with the end of its log.
//
//  3. No process outlives this one, not even after SIGKILL of this one (Linux).
//
//  4. The ports are outside the range that the kernel gives to outgoing connections, so that no
//     client takes the port of a member while the member is down; on Linux no other Cluster does.
//
//  5. When the Run of a Conductor returns, all its faults are undone: members run, wires are whole.
//
// # What it does not do
//
// It judges nothing; that is the work of the caller. It removes no files but the data of a member
// that it replaces. What a process has written to a file is never lost, synced or not.
package nemesis
