package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
	spike "github.com/spiffe/spike-sdk-go/api"
	"github.com/spiffe/spike-sdk-go/api/entity/data"
	"github.com/spiffe/spike-sdk-go/crypto"
	sdkerrors "github.com/spiffe/spike-sdk-go/errors"
)

func call(ctx context.Context, api *spike.API, name string, args []string) (any, error) {
	if strings.HasSuffix(name, "-secret") || strings.HasSuffix(name, "-secrets") ||
		strings.HasSuffix(name, "-versions") || strings.HasSuffix(name, "-version") || name == "get-metadata" {
		return secretCall(ctx, api, name, args)
	}
	if strings.HasSuffix(name, "-policy") || strings.HasSuffix(name, "-policies") {
		return policyCall(ctx, api, name, args)
	}
	if strings.HasPrefix(name, "with-") {
		return constructed(ctx, name, args)
	}
	return keyCall(ctx, api, name, args)
}

// constructed reads a secret through a client made in another way, or that cannot work.
func constructed(ctx context.Context, name string, args []string) (any, error) {
	switch name {
	case "with-new":
		api, err := spike.New()
		if err != nil {
			return nil, err
		}
		secret, err := api.GetSecret(ctx, args[0])
		if failure := api.Close(); failure != nil {
			return nil, failure
		}
		return secret, plain(err)
	case "with-own-source":
		source, failure := workloadapi.NewX509Source(ctx)
		if failure != nil {
			return nil, failure
		}
		api := spike.NewWithSource(source)
		secret, err := api.GetSecret(ctx, args[0])
		if failure := api.Close(); failure != nil {
			return nil, failure
		}
		return secret, plain(err)
	case "with-nil-source":
		secret, err := spike.NewWithSource(nil).GetSecret(ctx, args[0])
		return secret, plain(err)
	case "with-cancelled-context":
		api, err := spike.New()
		if err != nil {
			return nil, err
		}
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		secret, err := api.GetSecret(cancelled, args[0])
		return secret, plain(err)
	default:
		return nil, fmt.Errorf("unknown call %q", name)
	}
}

func secretCall(ctx context.Context, api *spike.API, name string, args []string) (any, error) {
	switch name {
	case "put-secret":
		values := map[string]string{}
		for _, pair := range args[1:] {
			key, value, _ := strings.Cut(pair, "=")
			values[key] = value
		}
		return "ok", plain(api.PutSecret(ctx, args[0], values))
	case "get-secret":
		secret, err := api.GetSecret(ctx, args[0])
		return secret, plain(err)
	case "get-secret-version":
		secret, err := api.GetSecretVersion(ctx, args[0], number(args[1]))
		return secret, plain(err)
	case "get-metadata":
		metadata, err := api.GetSecretMetadata(ctx, args[0], number(args[1]))
		return metadata, plain(err)
	case "delete-secret":
		return "ok", plain(api.DeleteSecret(ctx, args[0]))
	case "delete-versions":
		return "ok", plain(api.DeleteSecretVersions(ctx, args[0], numbers(args[1:])))
	case "undelete-secret":
		return "ok", plain(api.UndeleteSecret(ctx, args[0], numbers(args[1:])))
	case "list-secrets":
		keys, err := api.ListSecretKeys(ctx)
		return keys, plain(err)
	default:
		return nil, fmt.Errorf("unknown call %q", name)
	}
}

func policyCall(ctx context.Context, api *spike.API, name string, args []string) (any, error) {
	switch name {
	case "create-policy":
		var permissions []data.PolicyPermission
		for _, word := range strings.Split(args[3], ",") {
			if word != "" {
				permissions = append(permissions, data.PolicyPermission(word))
			}
		}
		return "ok", plain(api.CreatePolicy(ctx, args[0], args[1], args[2], permissions))
	case "get-policy":
		policy, err := api.GetPolicy(ctx, args[0])
		return policy, plain(err)
	case "delete-policy":
		return "ok", plain(api.DeletePolicy(ctx, args[0]))
	case "list-policies":
		if len(args) == 2 {
			policies, err := api.ListPolicies(ctx, args[0], args[1])
			return byName(policies), plain(err)
		}
		policies, err := api.ListAllPolicies(ctx)
		return byName(policies), plain(err)
	default:
		return nil, fmt.Errorf("unknown call %q", name)
	}
}

// byName puts policies in an order: the server's is that of a Go map.
func byName(policies *[]data.PolicyListItem) *[]data.PolicyListItem {
	if policies != nil {
		slices.SortFunc(*policies, func(a, b data.PolicyListItem) int { return strings.Compare(a.Name, b.Name) })
	}
	return policies
}

func keyCall(ctx context.Context, api *spike.API, name string, args []string) (any, error) {
	switch name {
	case "encrypt":
		sealed, err := api.CipherEncrypt(ctx, []byte(args[0]), "AES-GCM")
		return len(sealed), plain(err)
	case "encrypt-stream":
		sealed, err := api.CipherEncryptStream(ctx, strings.NewReader(args[0]))
		return len(sealed), plain(err)
	case "decrypt":
		text, err := api.CipherDecrypt(ctx, byte(number(args[0])), binary(args[1]), binary(args[2]), "")
		return string(text), plain(err)
	case "decrypt-stream":
		text, err := api.CipherDecryptStream(ctx, bytes.NewReader(binary(args[0])))
		return string(text), plain(err)
	case "round-trip":
		return roundTrip(ctx, api, args[0])
	case "recover":
		shards, err := api.Recover(ctx)
		return shards, plain(err)
	case "restore":
		status, err := api.Restore(ctx, number(args[0]), shard(args[1]))
		return status, plain(err)
	case "verify":
		return "ok", plain(api.Verify(ctx, args[0], binary(args[1]), binary(args[2])))
	default:
		return nil, fmt.Errorf("unknown call %q", name)
	}
}

// roundTrip seals a text as a stream and opens the parts of the result, once as a stream and once as JSON.
func roundTrip(ctx context.Context, api *spike.API, text string) (any, error) {
	sealed, failure := api.CipherEncryptStream(ctx, strings.NewReader(text))
	if failure != nil {
		return nil, failure
	}
	stream, failure := api.CipherDecryptStream(ctx, bytes.NewReader(sealed))
	if failure != nil {
		return nil, failure
	}
	parts, failure := api.CipherDecrypt(ctx, sealed[0], sealed[1:13], sealed[13:], "")
	return []string{string(stream), string(parts)}, plain(failure)
}

// rootKey puts a root key together from the shards of a recover answer, as SPIKE does.
func rootKey(text string) (any, error) {
	var shards map[string][32]byte
	if err := json.Unmarshal([]byte(text), &shards); err != nil {
		return nil, err
	}
	var all []crypto.ShamirShard
	for id, value := range shards {
		all = append(all, crypto.ShamirShard{ID: uint64(number(id)), Value: &value})
	}
	var numbers []int
	for _, value := range crypto.ComputeRootKeyFromShards(all) {
		numbers = append(numbers, int(value))
	}
	return numbers, nil
}

// plain turns the SDK's typed nil into an ordinary nil error.
func plain(err *sdkerrors.SDKError) error {
	if err == nil {
		return nil
	}
	return err
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return value
}

func numbers(texts []string) []int {
	var all []int
	for _, text := range texts {
		all = append(all, number(text))
	}
	return all
}

func binary(text string) []byte {
	value, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return value
}

func shard(text string) *[32]byte {
	var value [32]byte
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		panic(err)
	}
	return &value
}
