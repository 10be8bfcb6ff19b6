package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	iofs "io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, file vfs.File, offset int64, content string) {
	t.Helper()
	_, err := file.WriteAt([]byte(content), offset)
	must(t, err)
}

// outcomes returns the distinct results of look on many crash images, sorted.
func outcomes(memory *vfs.Memory, look func(image *vfs.Memory) string) []string {
	seen := map[string]bool{look(memory.CrashClone(nil)): true}
	for seed := range uint64(400) {
		seen[look(memory.CrashClone(rand.New(rand.NewPCG(seed, 1))))] = true
	}
	var all []string
	for s := range seen {
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func wantOutcomes(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("after crashes:\n%q\nwant\n%q", got, want)
	}
}

// names describes the root: names and their contents.
func names(t *testing.T) func(image *vfs.Memory) string {
	return func(image *vfs.Memory) string {
		list, err := image.List(".")
		must(t, err)
		for i, name := range list {
			list[i] += "=" + string(vfstest.ReadFile(t, image, name))
		}
		return strings.Join(list, " ")
	}
}

func TestSyncedDataUnderASyncedNameStays(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", []byte("synced"))
	must(t, memory.SyncDir("."))
	wantOutcomes(t, outcomes(memory, names(t)), "a=synced")
}

func TestSyncedDataUnderAnUnsyncedNameMayVanish(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", []byte("synced"))
	wantOutcomes(t, outcomes(memory, names(t)), "", "a=synced")
}

func TestANameThatWasSyncedTwiceStays(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", []byte("first"))
	must(t, memory.SyncDir("."))
	must(t, memory.Remove("a"))
	vfstest.WriteFile(t, memory, "a", []byte("second"))
	must(t, memory.SyncDir("."))
	wantOutcomes(t, outcomes(memory, names(t)), "a=second")
}

func TestAnUnsyncedRenameHappensOrNot(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", []byte("new"))
	vfstest.WriteFile(t, memory, "b", []byte("old"))
	must(t, memory.SyncDir("."))
	must(t, memory.Rename("a", "b"))
	wantOutcomes(t, outcomes(memory, names(t)), "a=new b=old", "b=new")
}

func TestUnsyncedRemovalsAreForgottenOneByOne(t *testing.T) {
	memory := vfs.NewMemory()
	for _, name := range []string{"a", "b"} {
		vfstest.WriteFile(t, memory, name, nil)
	}
	must(t, memory.SyncDir("."))
	must(t, memory.Remove("a"))
	must(t, memory.Remove("b"))
	wantOutcomes(t, outcomes(memory, names(t)), "", "a=", "b=", "a= b=")
}

func TestUnsyncedWritesSurviveEachByItself(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", []byte("...."))
	must(t, memory.SyncDir("."))
	file, err := memory.Open("a")
	must(t, err)
	write(t, file, 0, "X")
	write(t, file, 2, "Y")
	write(t, file, 2, "Z")
	wantOutcomes(t, outcomes(memory, names(t)),
		"a=....", "a=X...", "a=..Y.", "a=X.Y.", "a=..Z.", "a=X.Z.")
}

func TestAnUnsyncedWriteTearsInsideAndAtSectors(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", bytes.Repeat([]byte("."), 2048))
	must(t, memory.SyncDir("."))
	file, err := memory.Open("a")
	must(t, err)
	write(t, file, 300, strings.Repeat("X", 1024)) // 212 + 512 + 300 bytes of three sectors
	inside, sectors := 0, map[string]bool{}
	for _, got := range outcomes(memory, func(image *vfs.Memory) string {
		return string(vfstest.ReadFile(t, image, "a"))
	}) {
		if strings.Trim(got[:300]+got[1324:], ".") != "" {
			t.Fatalf("bytes outside of the write changed: %q", got)
		}
		shape := ""
		for _, part := range []string{got[300:512], got[512:1024], got[1024:1324]} {
			switch strings.Trim(part, "X") {
			case "":
				shape += "X"
			case part:
				shape += "."
			default:
				inside++
			}
		}
		sectors[shape] = true
	}
	if inside == 0 {
		t.Error("no write was torn inside of a sector")
	}
	for _, shape := range []string{"...", "X..", ".X.", "..X", "XX.", "X.X", ".XX", "XXX"} {
		if !sectors[shape] {
			t.Errorf("no image kept the sectors %s", shape)
		}
	}
}

func TestUnsyncedSizesSurviveOrNot(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", []byte("abcd"))
	must(t, memory.SyncDir("."))
	file, err := memory.Open("a")
	must(t, err)
	must(t, file.Truncate(2))
	wantOutcomes(t, outcomes(memory, names(t)), "a=abcd", "a=ab")
	must(t, file.Allocate(3))
	wantOutcomes(t, outcomes(memory, names(t)), "a=abcd", "a=ab", "a=ab\x00", "a=abc")
	must(t, file.Sync())
	wantOutcomes(t, outcomes(memory, names(t)), "a=ab\x00")
}

func TestALongerFileMayKeepItsSizeAndLoseItsData(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", []byte("a"))
	must(t, memory.SyncDir("."))
	file, err := memory.Open("a")
	must(t, err)
	write(t, file, 1, "b")
	wantOutcomes(t, outcomes(memory, names(t)), "a=a", "a=a\x00", "a=ab")
}

func TestAnUnsyncedDirectoryMayVanishWithAllThatIsInIt(t *testing.T) {
	memory := vfs.NewMemory()
	must(t, memory.MkdirAll("d/e"))
	vfstest.WriteFile(t, memory, "d/e/f", []byte("synced"))
	must(t, memory.SyncDir("d/e"))
	look := func(image *vfs.Memory) string {
		if _, err := image.List("d"); err != nil {
			return "no d"
		}
		if _, err := image.List("d/e"); err != nil {
			return "no d/e"
		}
		return string(vfstest.ReadFile(t, image, "d/e/f"))
	}
	wantOutcomes(t, outcomes(memory, look), "no d", "no d/e", "synced")
	must(t, memory.SyncDir("d"))
	wantOutcomes(t, outcomes(memory, look), "no d", "synced")
	must(t, memory.SyncDir("."))
	wantOutcomes(t, outcomes(memory, look), "synced")
}

func TestADirectoryThatVanishedCanBeMadeAgain(t *testing.T) {
	memory := vfs.NewMemory()
	must(t, memory.MkdirAll("d"))
	vfstest.WriteFile(t, memory, "d/f", nil)
	must(t, memory.SyncDir("d"))
	image := memory.CrashClone(nil)
	if _, err := image.Create("d/f"); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("Create in it: %v", err)
	}
	must(t, vfs.MakeDir(image, "d"))
	got, err := image.CrashClone(nil).List("d")
	if err != nil || len(got) != 0 {
		t.Errorf("List: %q, %v", got, err)
	}
}

// TestMakeDirIsDurable also stands for a killed process, which made the directories and did not
// sync them.
func TestMakeDirIsDurable(t *testing.T) {
	for _, made := range []string{".", "d", "d/e"} {
		memory := vfs.NewMemory()
		must(t, memory.MkdirAll(made))
		must(t, vfs.MakeDir(memory, "d/e"))
		got, err := memory.CrashClone(nil).List("d")
		if err != nil || !slices.Equal(got, []string{"e"}) {
			t.Errorf("after %s: %q, %v", made, got, err)
		}
	}
}

func TestACrashImageAndItsOriginGoDifferentWays(t *testing.T) {
	memory := vfs.NewMemory()
	vfstest.WriteFile(t, memory, "a", []byte("start"))
	must(t, memory.SyncDir("."))
	image := memory.CrashClone(nil)
	again := image.CrashClone(nil)
	vfstest.WriteFile(t, memory, "a", []byte("first"))
	vfstest.WriteFile(t, image, "a", []byte("other"))
	show := names(t)
	got := fmt.Sprint(show(memory), " ", show(image), " ", show(again))
	if want := "a=first a=other a=start"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	wantOutcomes(t, outcomes(memory, show), "a=first")
	wantOutcomes(t, outcomes(image, show), "a=other")
}

// A model of one file: all that was written since the last sync, as bytes. After random work, the
// image without luck is what was synced, and the image in which all survived is what is there.
func TestRandomWorkCrashesBetweenWhatWasSyncedAndWhatIsThere(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 7))
		memory := vfs.NewMemory()
		file, err := memory.Create("a")
		must(t, err)
		must(t, memory.SyncDir("."))
		var now, synced []byte
		for range 200 {
			now, synced = randomStep(t, random, file, now, synced)
			if got := vfstest.ReadFile(t, memory, "a"); !bytes.Equal(got, now) {
				t.Fatalf("seed %d: %d bytes are there, want %d", seed, len(got), len(now))
			}
			if random.IntN(8) > 0 {
				continue
			}
			image := memory.CrashClone(nil)
			if got := vfstest.ReadFile(t, image, "a"); !bytes.Equal(got, synced) {
				t.Fatalf("seed %d: the image differs from what was synced", seed)
			}
		}
	}
}

func randomStep(t *testing.T, random *rand.Rand, file vfs.File, now, synced []byte) (_, _ []byte) {
	size := random.Int64N(20_000)
	resized := make([]byte, size)
	copy(resized, now)
	switch random.IntN(8) {
	case 0:
		must(t, file.Sync())
		return now, bytes.Clone(now)
	case 1:
		must(t, file.Truncate(size))
		return resized, synced
	case 2:
		must(t, file.Allocate(size))
		if int(size) > len(now) {
			return resized, synced
		}
		return now, synced
	}
	data := make([]byte, random.IntN(9000))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	_, err := file.WriteAt(data, size)
	must(t, err)
	if end := int(size) + len(data); end > len(now) && len(data) > 0 {
		resized = make([]byte, end)
		copy(resized, now)
		now = resized
	}
	copy(now[min(int(size), len(now)):], data)
	return now, synced
}

func TestTheSameSeedGivesTheSameImage(t *testing.T) {
	memory := vfs.NewMemory()
	for i := range 20 {
		file, err := memory.Create(fmt.Sprintf("f%d", i))
		must(t, err)
		for j := range 5 {
			write(t, file, int64(j*700), strings.Repeat("x", 900))
		}
	}
	show := names(t)
	for seed := range uint64(20) {
		first := show(memory.CrashClone(rand.New(rand.NewPCG(seed, 2))))
		if again := show(memory.CrashClone(rand.New(rand.NewPCG(seed, 2)))); again != first {
			t.Fatalf("seed %d gave two images", seed)
		}
	}
}

func BenchmarkMemoryWriteAndSync(b *testing.B) {
	file, err := vfs.NewMemory().Create("a")
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 300)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := file.WriteAt(data, int64(i%3000)*300); err != nil {
			b.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCrashClone(b *testing.B) {
	memory := vfs.NewMemory()
	for i := range 10 {
		file, err := memory.Create(fmt.Sprint(i))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := file.WriteAt(make([]byte, 1<<20), 0); err != nil {
			b.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	if err := memory.SyncDir("."); err != nil {
		b.Fatal(err)
	}
	choose := rand.New(rand.NewPCG(1, 1))
	b.ReportAllocs()
	for b.Loop() {
		memory.CrashClone(choose)
	}
}
