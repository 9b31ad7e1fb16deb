// Command gosdk drives the official SPIKE Go SDK against a Nexus, so that a test can compare what a Go workload sees.
//
// `gosdk [CLIENT] CALL [ARGUMENT...]` makes one call, prints one JSON value on success and `error CODE` with exit status 1
// on failure. `gosdk script` reads one call per line, each a JSON array of strings, and prints one such line for each.
// A CALL is the name of a method of the SDK's client, a CLIENT the way in which the client is made.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/spiffe/spike-sdk-go/crypto"
	sdkerrors "github.com/spiffe/spike-sdk-go/errors"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: gosdk [CLIENT] CALL [ARGUMENT...] | gosdk script")
		os.Exit(64)
	}
	clients := &clients{}
	failed := false
	switch os.Args[1] {
	case "root-key":
		failed = say(rootKey(os.Args[2]))
	case "script":
		script(clients)
	default:
		failed = say(clients.call(context.Background(), os.Args[1:]))
	}
	if err := clients.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
	if failed {
		os.Exit(1)
	}
}

func script(clients *clients) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var words []string
		if err := json.Unmarshal(lines.Bytes(), &words); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(65)
		}
		say(clients.call(context.Background(), words))
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(65)
	}
}

// say prints an outcome as a program that tests errors as the SDK's documentation says would learn it: the code, and
// every sentinel that errors.Is finds in the chain. It tells whether it is a failure.
func say(value any, err error) bool {
	if err != nil {
		var sdk *sdkerrors.SDKError
		if errors.As(err, &sdk) {
			fmt.Println("error", fmt.Sprint(sdk.Code, also(err, sdk)))
		} else {
			fmt.Println("error", err)
		}
		return true
	}
	out, err := json.Marshal(value)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
	fmt.Println(string(out))
	return false
}

// also names the sentinels of the API besides the error's own code.
func also(err error, sdk *sdkerrors.SDKError) string {
	text := ""
	for _, sentinel := range []*sdkerrors.SDKError{
		sdkerrors.ErrAPIBadRequest, sdkerrors.ErrAPINotFound, sdkerrors.ErrAccessUnauthorized,
		sdkerrors.ErrStateNotReady, sdkerrors.ErrNetPeerConnection, sdkerrors.ErrDataInvalidInput,
	} {
		if errors.Is(err, sentinel) && sentinel.Code != sdk.Code {
			text += fmt.Sprint(" also ", sentinel.Code)
		}
	}
	return text
}

// rootKey puts a root key together from the shards of a recover answer, as SPIKE does.
func rootKey(text string) (any, error) {
	var shards map[string][32]byte
	if err := json.Unmarshal([]byte(text), &shards); err != nil {
		return nil, err
	}
	var all []crypto.ShamirShard
	for id, value := range shards {
		number, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, crypto.ShamirShard{ID: number, Value: &value})
	}
	var numbers []int
	for _, value := range crypto.ComputeRootKeyFromShards(all) {
		numbers = append(numbers, int(value))
	}
	return numbers, nil
}
