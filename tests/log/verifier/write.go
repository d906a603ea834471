package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
)

// put writes a file with the folders above it.
func put(path string, data []byte) {
	must(0, os.MkdirAll(filepath.Dir(path), 0o755))
	must(0, os.WriteFile(path, data, 0o644))
}

// line signs a text under a name and returns the signature line and the verifier key.
func line(name string, key ed25519.PrivateKey, text string) (string, string) {
	public := append([]byte{1}, key.Public().(ed25519.PublicKey)...)
	id := sha256.Sum256(append([]byte(name+"\n"), public...))
	mark := append(id[:4:4], ed25519.Sign(key, []byte(text))...)
	vkey := fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(public))
	return fmt.Sprintf("— %s %s\n", name, base64.StdEncoding.EncodeToString(mark)), vkey
}

// write publishes a log of random entries, level by level with all of it in memory, and returns the verifier key.
// Its checkpoint has an extension line, a signature of another Ed25519 key and one of an algorithm that is not assigned.
func write(folder, name string, count int, seed int64) string {
	random := rand.New(rand.NewSource(seed))
	var bundle []byte
	row, tree := make([]hash, 0, count), &stack{}
	for i := range count {
		entry := make([]byte, random.Intn(300)) // an entry of no bytes is one, too
		random.Read(entry)
		bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(entry))), entry...)
		row = append(row, leafHash(entry))
		tree.push(leafHash(entry))
		if i%256 == 255 || i == count-1 {
			put(filepath.Join(folder, tilePath("entries", uint64(i/256), i%256+1)), bundle)
			bundle = nil
		}
	}
	for level := 0; len(row) > 0; level++ {
		var above []hash
		for n := 0; n*256 < len(row); n++ {
			part, data, below := row[n*256:min(len(row), n*256+256)], []byte{}, &stack{}
			for _, item := range part {
				data = append(data, item[:]...)
				below.push(item)
			}
			put(filepath.Join(folder, tilePath(strconv.Itoa(level), uint64(n), len(part))), data)
			if len(part) == 256 {
				above = append(above, below.root())
			}
		}
		row = above
	}
	root := tree.root()
	text := fmt.Sprintf("%s\n%d\n%s\nan extension line\n", name, count, base64.StdEncoding.EncodeToString(root[:]))
	key := ed25519.NewKeyFromSeed(must(readRandom(random, 32)))
	mine, vkey := line(name, key, text)
	other, _ := line("witness.example/w1", ed25519.NewKeyFromSeed(must(readRandom(random, 32))), text)
	strange := "— strange.example " + base64.StdEncoding.EncodeToString(must(readRandom(random, 2424))) + "\n"
	put(filepath.Join(folder, "checkpoint"), []byte(text+"\n"+strange+mine+other))
	return vkey
}

func readRandom(random *rand.Rand, count int) ([]byte, error) {
	data := make([]byte, count)
	_, err := random.Read(data)
	return data, err
}
