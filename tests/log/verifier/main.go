// Verifier reads a transparency log published as static files (C2SP tlog-tiles) and verifies it with one key.
// It shares no code with Fivefold, and needs nothing but the standard library of Go.
//
//	verifier verify FOLDER VKEY INCLUSIONS CONSISTENCIES SEED
//	verifier write FOLDER NAME ENTRIES SEED
//
// Exit 0: all holds, 1: it does not; one line says which.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

type hash = [32]byte

func leafHash(entry []byte) hash { return sha256.Sum256(append([]byte{0}, entry...)) }
func nodeHash(a, b hash) hash    { return sha256.Sum256(append(append([]byte{1}, a[:]...), b[:]...)) }

// die is the only way out of a check that fails; main turns it into one line and exit code 1.
func die(format string, values ...any) { panic(fmt.Errorf(format, values...)) }

// must returns a value or gives up.
func must[T any](value T, err error) T {
	if err != nil {
		die("%v", err)
	}
	return value
}

// tilePath is the path of tile number n at a level ("entries" for a bundle); width 256 is a full one.
func tilePath(level string, n uint64, width int) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	if width < 256 {
		path += ".p/" + strconv.Itoa(width)
	}
	return "tile/" + level + "/" + path
}

// openNote verifies a signed note with one Ed25519 key (C2SP signed-note) and returns its text.
func openNote(note []byte, vkey string) string {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		die("the key is no verifier key")
	}
	key := must(base64.StdEncoding.Strict().DecodeString(parts[2]))
	if len(key) != 33 || key[0] != 1 {
		die("the key is no Ed25519 verifier key")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if fmt.Sprintf("%x", sum[:4]) != parts[1] {
		die("the key's id is not its own")
	}
	split := bytes.LastIndex(note, []byte("\n\n"))
	if split < 0 || !bytes.HasSuffix(note, []byte("\n")) {
		die("the checkpoint is no signed note")
	}
	text, verified := note[:split+1], false
	for _, line := range strings.Split(strings.TrimSuffix(string(note[split+2:]), "\n"), "\n") {
		fields := strings.Split(line, " ")
		if len(fields) != 3 || fields[0] != "—" {
			die("the checkpoint has a malformed signature line")
		}
		mark := must(base64.StdEncoding.Strict().DecodeString(fields[2]))
		if fields[1] != parts[0] || len(mark) < 5 || !bytes.Equal(mark[:4], sum[:4]) {
			continue
		}
		if len(mark) != 68 || !ed25519.Verify(key[1:], text, mark[4:]) {
			die("the checkpoint's signature does not hold")
		}
		verified = true
	}
	if !verified {
		die("the checkpoint is not signed by this key")
	}
	return string(text)
}

// log is a published log: its folder, its size and the tiles that were read.
type log struct {
	folder string
	size   uint64
	tiles  map[string][]byte
}

// tile returns the bytes of a tile of hashes with the width that a log of this size asks for.
func (l *log) tile(level int, n uint64) []byte {
	width := min(256, l.size>>(8*level)-n*256)
	path := tilePath(strconv.Itoa(level), n, int(width))
	if _, read := l.tiles[path]; !read {
		l.tiles[path] = must(os.ReadFile(filepath.Join(l.folder, path)))
	}
	if uint64(len(l.tiles[path])) != width*32 {
		die("%s has %d bytes, not %d", path, len(l.tiles[path]), width*32)
	}
	return l.tiles[path]
}

// node returns the hash of the complete subtree of 1<<height leaves at index, from the one tile that holds it.
func (l *log) node(height int, index uint64) hash {
	level, below := height/8, height%8
	first := index << below
	data := l.tile(level, first/256)[first%256*32:]
	row := make([]hash, 1<<below)
	for i := range row {
		row[i] = hash(data[i*32 : i*32+32])
	}
	for ; len(row) > 1; row = row[:len(row)/2] {
		for i := range len(row) / 2 {
			row[i] = nodeHash(row[2*i], row[2*i+1])
		}
	}
	return row[0]
}

// span returns the Merkle tree hash of the leaves from start up to end, as RFC 6962 splits them.
func (l *log) span(start, end uint64) hash {
	if n := end - start; n&(n-1) == 0 {
		height := bits.Len64(n) - 1
		return l.node(height, start>>height)
	}
	middle := start + 1<<(bits.Len64(end-start-1)-1)
	return nodeHash(l.span(start, middle), l.span(middle, end))
}

// inclusion is PATH of RFC 6962, section 2.1.1, over the leaves from start up to end.
func (l *log) inclusion(m, start, end uint64) []hash {
	if end-start == 1 {
		return nil
	}
	middle := start + 1<<(bits.Len64(end-start-1)-1)
	if m < middle {
		return append(l.inclusion(m, start, middle), l.span(middle, end))
	}
	return append(l.inclusion(m, middle, end), l.span(start, middle))
}

// consistency is SUBPROOF of RFC 6962, section 2.1.2.
func (l *log) consistency(m, start, end uint64, whole bool) []hash {
	if m == end {
		if whole {
			return nil
		}
		return []hash{l.span(start, end)}
	}
	middle := start + 1<<(bits.Len64(end-start-1)-1)
	if m <= middle {
		return append(l.consistency(m, start, middle, whole), l.span(middle, end))
	}
	return append(l.consistency(m, middle, end, false), l.span(start, middle))
}

// verifyInclusion is RFC 9162, section 2.1.3.2.
func verifyInclusion(leaf hash, index, size uint64, proof []hash, root hash) bool {
	fn, sn, r := index, size-1, leaf
	for _, p := range proof {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			r = nodeHash(p, r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = nodeHash(r, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && r == root
}

// verifyConsistency is RFC 9162, section 2.1.4.2.
func verifyConsistency(first, second uint64, proof []hash, old, root hash) bool {
	if first == second {
		return len(proof) == 0 && old == root
	}
	if first&(first-1) == 0 {
		proof = append([]hash{old}, proof...)
	}
	if len(proof) == 0 {
		return false
	}
	fn, sn := first-1, second-1
	for fn&1 == 1 {
		fn, sn = fn>>1, sn>>1
	}
	fr, sr := proof[0], proof[0]
	for _, c := range proof[1:] {
		if sn == 0 {
			return false
		}
		if fn&1 == 1 || fn == sn {
			fr, sr = nodeHash(c, fr), nodeHash(c, sr)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			sr = nodeHash(sr, c)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && fr == old && sr == root
}

// stack holds the complete subtrees of a growing tree, the largest first.
type stack struct {
	size  uint64
	nodes []hash
}

func (s *stack) push(leaf hash) {
	for size := s.size; size&1 == 1; size >>= 1 {
		leaf, s.nodes = nodeHash(s.nodes[len(s.nodes)-1], leaf), s.nodes[:len(s.nodes)-1]
	}
	s.nodes, s.size = append(s.nodes, leaf), s.size+1
}

func (s *stack) root() hash {
	if s.size == 0 {
		return sha256.Sum256(nil)
	}
	root := s.nodes[len(s.nodes)-1]
	for i := len(s.nodes) - 2; i >= 0; i-- {
		root = nodeHash(s.nodes[i], root)
	}
	return root
}

// entries calls each with every entry of the log, in order.
func (l *log) entries(each func(index uint64, entry []byte)) {
	for start := uint64(0); start < l.size; start += 256 {
		width := min(256, l.size-start)
		path := tilePath("entries", start/256, int(width))
		data := must(os.ReadFile(filepath.Join(l.folder, path)))
		for i := start; i < start+width; i++ {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				die("%s ends inside entry %d", path, i)
			}
			length := binary.BigEndian.Uint16(data)
			each(i, data[2:2+length])
			data = data[2+length:]
		}
		if len(data) > 0 {
			die("%s goes on behind its last entry", path)
		}
	}
}

func verify(folder, vkey string, inclusions, consistencies int, seed int64) string {
	lines := strings.Split(openNote(must(os.ReadFile(filepath.Join(folder, "checkpoint"))), vkey), "\n")
	if len(lines) < 4 || lines[0] == "" {
		die("the checkpoint has no origin, size and root")
	}
	l := &log{folder, must(strconv.ParseUint(lines[1], 10, 62)), map[string][]byte{}}
	sum := must(base64.StdEncoding.Strict().DecodeString(lines[2]))
	if len(sum) != 32 || strconv.FormatUint(l.size, 10) != lines[1] {
		die("the checkpoint's size or root is malformed")
	}
	root, random := hash(sum), rand.New(rand.NewSource(seed))
	olds, leaves := map[uint64]hash{}, map[uint64]hash{}
	for i := 0; i < consistencies && l.size > 0; i++ {
		olds[1+uint64(random.Int63n(int64(l.size)))] = hash{}
	}
	for i := 0; i < inclusions && l.size > 0; i++ {
		leaves[uint64(random.Int63n(int64(l.size)))] = hash{}
	}
	tree := &stack{}
	l.entries(func(index uint64, entry []byte) {
		leaf := leafHash(entry)
		if tile := l.tile(0, index/256); hash(tile[index%256*32:][:32]) != leaf {
			die("entry %d is not the one whose hash is in its tile", index)
		}
		if tree.push(leaf); tree.size%256 == 0 {
			l.levels(tree.size)
		}
		if _, sampled := leaves[index]; sampled {
			leaves[index] = leaf
		}
		if _, sampled := olds[tree.size]; sampled {
			olds[tree.size] = tree.root()
		}
	})
	if tree.root() != root {
		die("the entries do not lead to the checkpoint's root")
	}
	for index, leaf := range leaves {
		if !verifyInclusion(leaf, index, l.size, l.inclusion(index, 0, l.size), root) {
			die("the inclusion proof of entry %d does not hold", index)
		}
	}
	for size, old := range olds {
		if !verifyConsistency(size, l.size, l.consistency(size, 0, l.size, true), old, root) {
			die("the consistency proof from size %d does not hold", size)
		}
	}
	return fmt.Sprintf("ok: %s, %d entries, %d inclusion and %d consistency proofs hold", lines[0], l.size, len(leaves), len(olds))
}

// levels holds each hash above level 0 that ends at this size against the full tile below it.
func (l *log) levels(size uint64) {
	for level := 1; size%(1<<(8*level)) == 0; level++ {
		index, tile := size>>(8*level)-1, l.tile(level-1, size>>(8*level)-1)
		below := &stack{}
		for i := 0; i < len(tile); i += 32 {
			below.push(hash(tile[i : i+32]))
		}
		if hash(l.tile(level, index/256)[index%256*32:][:32]) != below.root() {
			die("%s does not hold the root of the tile below it", tilePath(strconv.Itoa(level), index/256, 256))
		}
	}
}

func main() {
	defer func() {
		if failure := recover(); failure != nil {
			err, known := failure.(error)
			if !known {
				err = errors.New(fmt.Sprint(failure))
			}
			fmt.Println("refused:", err)
			os.Exit(1)
		}
	}()
	arguments := os.Args[1:]
	number := func(i int) int { return must(strconv.Atoi(arguments[i])) }
	switch {
	case len(arguments) == 6 && arguments[0] == "verify":
		fmt.Println(verify(arguments[1], arguments[2], number(3), number(4), int64(number(5))))
	case len(arguments) == 5 && arguments[0] == "write":
		fmt.Println(write(arguments[1], arguments[2], number(3), int64(number(4))))
	default:
		die("use: verify FOLDER VKEY INCLUSIONS CONSISTENCIES SEED, or write FOLDER NAME ENTRIES SEED")
	}
}
