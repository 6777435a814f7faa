// Reads a log of AEGIS with the packages that Go verifies its own module log with. It prints what it
// saw, or fails.
//
//	verify <directory> <key> <proof of inclusion> <index> <entry> <proof of consistency> <old size> <old root>
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// C2SP tlog-tiles, which grew out of Go's log, leaves the height out of the path.
const height = 8

type tiles struct{ directory string }

func (t tiles) Height() int { return height }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(t.directory, path))
		if os.IsNotExist(err) && tile.W < 1<<height {
			tile.W = 1 << height
			path = strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
			bytes, err = os.ReadFile(filepath.Join(t.directory, path))
		}
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func main() {
	args := os.Args[1:]
	if len(args) != 8 {
		fail("eight arguments are needed")
	}
	directory, key := args[0], args[1]

	// The checkpoint, as a note that the key has signed.
	verifier, err := note.NewVerifier(key)
	check(err)
	message, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	check(err)
	opened, err := note.Open(message, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		fail("not a checkpoint: %q", opened.Text)
	}
	size := number(lines[1])
	root := hashOf(lines[2])

	// All tiles that are read are checked against the root as they are read.
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles{directory})
	whole, err := tlog.TreeHash(size, reader)
	check(err)
	if whole != root {
		fail("the tiles lead to %v, and %v was signed", whole, root)
	}

	// Every entry against the hash of its leaf.
	entries := int64(0)
	for bundle := int64(0); bundle*256 < size; bundle++ {
		width := size - bundle*256
		if width > 256 {
			width = 256
		}
		path := strings.Replace(tlog.Tile{H: height, L: 0, N: bundle, W: int(width)}.Path(), "tile/8/0/", "tile/entries/", 1)
		data, err := os.ReadFile(filepath.Join(directory, path))
		check(err)
		stream := bytes.NewReader(data)
		for stream.Len() > 0 {
			var length uint16
			check(binary.Read(stream, binary.BigEndian, &length))
			entry := make([]byte, length)
			if n, _ := stream.Read(entry); n != int(length) {
				fail("bundle %d is cut short", bundle)
			}
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, entries)})
			check(err)
			if tlog.RecordHash(entry) != hashes[0] {
				fail("entry %d is not what was appended", entries)
			}
			entries++
		}
	}
	if entries != size {
		fail("there are %d entries, and %d were signed", entries, size)
	}

	// The two proofs that AEGIS made, and the same ones made by Go.
	index := number(args[3])
	inclusion := proofOf(args[2])
	check(tlog.CheckRecord(inclusion, size, root, index, tlog.RecordHash([]byte(args[4]))))
	ownInclusion, err := tlog.ProveRecord(size, index, reader)
	check(err)
	same("inclusion", inclusion, ownInclusion)
	if tlog.CheckRecord(inclusion, size, root, index, tlog.RecordHash([]byte("another"))) == nil {
		fail("the proof holds for another entry too")
	}

	old, oldRoot := number(args[6]), hashOf(args[7])
	consistency := proofOf(args[5])
	check(tlog.CheckTree(consistency, size, root, old, oldRoot))
	ownConsistency, err := tlog.ProveTree(size, old, reader)
	check(err)
	same("consistency", consistency, ownConsistency)

	fmt.Printf("%s: %d entries, root %v, both proofs hold\n", verifier.Name(), entries, root)
}

func proofOf(path string) []tlog.Hash {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	hashes := []tlog.Hash{}
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		hashes = append(hashes, hashOf(scanner.Text()))
	}
	return hashes
}

func hashOf(text string) (hash tlog.Hash) {
	bytes, err := base64.StdEncoding.DecodeString(text)
	check(err)
	if len(bytes) != tlog.HashSize {
		fail("%q is no hash", text)
	}
	copy(hash[:], bytes)
	return hash
}

func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	check(err)
	return value
}

func same(what string, ours, theirs []tlog.Hash) {
	if len(ours) != len(theirs) {
		fail("the proof of %s has %d hashes, and Go's %d", what, len(ours), len(theirs))
	}
	for i := range ours {
		if ours[i] != theirs[i] {
			fail("the proof of %s is another one than Go's", what)
		}
	}
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
