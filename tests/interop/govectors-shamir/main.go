// Command govectors-shamir prints shares of root keys as SPIKE makes them: circl's secret sharing over P-256's scalars,
// with coefficients from the SPIKE SDK's deterministic reader. `go run . > ../../../nexus/src/vault/shamir/vectors.txt`
// writes the known answers of `spike-nexus`.
//
// A line: root key, threshold, then the values of shares 1, 2, 3 …; a number has 32 bytes, big-endian, in hex.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
	"github.com/spiffe/spike-sdk-go/crypto"
)

// keys are edges of the field and 40 hashes, all below the order: circl refuses others.
func keys() [][]byte {
	order, _ := hex.DecodeString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
	last := bytes.Clone(order)
	last[31]--
	one := make([]byte, 32)
	one[31] = 1
	keys := [][]byte{one, last, bytes.Repeat([]byte{7}, 32)}
	for i := range 40 {
		key := sha256.Sum256(fmt.Appendf(nil, "spike shamir vector %d", i))
		keys = append(keys, key[:])
	}
	return keys
}

func line(root []byte, shares, threshold uint) error {
	key := group.P256.NewScalar()
	if err := key.UnmarshalBinary(root); err != nil {
		return err
	}
	reader := crypto.NewDeterministicReader(root)
	sharing := secretsharing.New(reader, threshold-1, key)
	all := sharing.Share(shares)
	fmt.Printf("%x %d", root, threshold)
	for _, share := range all {
		value, err := share.Value.MarshalBinary()
		if err != nil {
			return err
		}
		fmt.Printf(" %x", value)
	}
	fmt.Println()
	back, err := secretsharing.Recover(threshold-1, all[shares-threshold:])
	if err != nil {
		return err
	}
	if !back.IsEqual(key) {
		return fmt.Errorf("the shares of %x do not give it back", root)
	}
	return nil
}

func main() {
	for _, root := range keys() {
		for _, of := range [][2]uint{{3, 2}, {1, 1}, {5, 3}, {7, 7}} {
			if err := line(root, of[0], of[1]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}
