// Sumdb verifies and writes logs of static files with the Go team's own packages for transparency logs
// (golang.org/x/mod/sumdb, as of Debian's golang-golang-x-mod-dev): their tree, tiles, proofs and notes. Only the
// bundles of entries are read and written here, for the checksum database of Go keeps its records in another form.
//
//	sumdb verify FOLDER VKEY PROOFS SEED
//	sumdb write FOLDER NAME ENTRIES SEED
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	return value
}

// place is where a tile lies: as the packages name it, without the height, which C2SP fixes.
func place(folder string, tile tlog.Tile) string {
	return filepath.Join(folder, "tile", strings.TrimPrefix(tile.Path(), "tile/8/"))
}

func bundle(folder string, n int64, width int) string {
	tile := tlog.Tile{H: height, L: 0, N: n, W: width}
	return filepath.Join(folder, "tile", "entries", strings.TrimPrefix(tile.Path(), "tile/8/0/"))
}

type reader string

func (r reader) Height() int                     { return height }
func (r reader) SaveTiles([]tlog.Tile, [][]byte) {}
func (r reader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		data, err := os.ReadFile(place(string(r), tile))
		if err != nil {
			return nil, err
		}
		found[i] = data
	}
	return found, nil
}

func verify(folder, vkey string, proofs int, seed int64) string {
	verifier := must(note.NewVerifier(vkey))
	opened := must(note.Open(must(os.ReadFile(filepath.Join(folder, "checkpoint"))), note.VerifierList(verifier)))
	lines := strings.Split(opened.Text, "\n")
	tree := tlog.Tree{N: must(strconv.ParseInt(lines[1], 10, 64)), Hash: must(tlog.ParseHash(lines[2]))}
	hashes, random := tlog.TileHashReader(tree, reader(folder)), rand.New(rand.NewSource(seed))
	for start := int64(0); start < tree.N; start += 256 {
		width := min(256, tree.N-start)
		data, indexes := must(os.ReadFile(bundle(folder, start/256, int(width)))), []int64{}
		for i := start; i < start+width; i++ {
			indexes = append(indexes, tlog.StoredHashIndex(0, i))
		}
		for i, expected := range must(hashes.ReadHashes(indexes)) {
			length := 2 + int(binary.BigEndian.Uint16(data))
			if tlog.RecordHash(data[2:length]) != expected {
				must(0, fmt.Errorf("entry %d is another", start+int64(i)))
			}
			data = data[length:]
		}
	}
	for range proofs {
		n := 1 + random.Int63n(tree.N)
		old := must(tlog.TreeHash(n, hashes))
		must(0, tlog.CheckTree(must(tlog.ProveTree(tree.N, n, hashes)), tree.N, tree.Hash, n, old))
		leaf := must(hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n-1)}))[0]
		must(0, tlog.CheckRecord(must(tlog.ProveRecord(tree.N, n-1, hashes)), tree.N, tree.Hash, n-1, leaf))
	}
	return fmt.Sprintf("ok: %s, %d entries, %d proofs of each kind", lines[0], tree.N, proofs)
}

type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = s[index]
	}
	return found, nil
}

func put(path string, data []byte) {
	must(0, os.MkdirAll(filepath.Dir(path), 0o755))
	must(0, os.WriteFile(path, data, 0o644))
}

func write(folder, name string, count, seed int64) string {
	random := rand.New(rand.NewSource(seed))
	var hashes stored
	var entries []byte
	for i := range count {
		entry := make([]byte, 1+random.Intn(60))
		random.Read(entry)
		hashes = append(hashes, must(tlog.StoredHashes(i, entry, hashes))...)
		entries = append(binary.BigEndian.AppendUint16(entries, uint16(len(entry))), entry...)
		if i%256 == 255 || i == count-1 {
			put(bundle(folder, i/256, int(i%256)+1), entries)
			entries = nil
		}
	}
	for _, tile := range tlog.NewTiles(height, 0, count) {
		put(place(folder, tile), must(tlog.ReadTileData(tile, hashes)))
	}
	secret, vkey, err := note.GenerateKey(random, name)
	root := must(tlog.TreeHash(count, hashes))
	text := fmt.Sprintf("%s\n%d\n%s\n", name, count, base64.StdEncoding.EncodeToString(root[:]))
	put(filepath.Join(folder, "checkpoint"), must(note.Sign(&note.Note{Text: text}, must(note.NewSigner(must(secret, err))))))
	return vkey
}

func main() {
	words := os.Args[1:]
	number := func(i int) int64 { return must(strconv.ParseInt(words[i], 10, 64)) }
	if words[0] == "write" {
		fmt.Println(write(words[1], words[2], number(3), number(4)))
	} else {
		fmt.Println(verify(words[1], words[2], int(number(3)), number(4)))
	}
}
