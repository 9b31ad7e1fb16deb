package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
	spike "github.com/spiffe/spike-sdk-go/api"
	"github.com/spiffe/spike-sdk-go/api/entity/data"
	sdkerrors "github.com/spiffe/spike-sdk-go/errors"
)

// call makes the call whose name is that of the SDK's method, so that a call cannot have another's name. What a
// parameter is decides how its argument is read.
func call(ctx context.Context, api *spike.API, name string, args []string) (any, error) {
	if name == "round-trip" {
		return roundTrip(ctx, api, args[0])
	}
	method := reflect.ValueOf(api).MethodByName(name)
	if !method.IsValid() {
		return nil, fmt.Errorf("the SDK has no call %q", name)
	}
	var given []reflect.Value
	for at := range method.Type().NumIn() {
		parameter := method.Type().In(at)
		if parameter == reflect.TypeFor[context.Context]() {
			given = append(given, reflect.ValueOf(ctx))
			continue
		}
		if len(args) == 0 {
			return nil, fmt.Errorf("%s: no argument for parameter %d", name, at)
		}
		value, err := argument(parameter, args[0])
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", name, args[0], err)
		}
		given, args = append(given, value), args[1:]
	}
	if len(args) > 0 {
		return nil, fmt.Errorf("%s: %d arguments too many", name, len(args))
	}
	results := method.Call(given)
	last := len(results) - 1
	if err := results[last].Interface().(*sdkerrors.SDKError); err != nil {
		return nil, err
	}
	if last == 0 {
		return "ok", nil
	}
	return shown(name, results[0].Interface()), nil
}

// argument reads a text as it is, bytes and streams as base64 (parts that dots divide), and everything else as JSON.
func argument(parameter reflect.Type, text string) (reflect.Value, error) {
	switch parameter {
	case reflect.TypeFor[string]():
		return reflect.ValueOf(text), nil
	case reflect.TypeFor[[]byte]():
		value, err := binary(text)
		return reflect.ValueOf(value), err
	case reflect.TypeFor[io.Reader]():
		value, err := binary(text)
		return reflect.ValueOf(bytes.NewReader(value)), err
	case reflect.TypeFor[secretsharing.Share]():
		value, err := share(text)
		return reflect.ValueOf(value), err
	default:
		value := reflect.New(parameter)
		err := json.Unmarshal([]byte(text), value.Interface())
		return value.Elem(), err
	}
}

func binary(text string) ([]byte, error) {
	var value []byte
	for part := range strings.SplitSeq(text, ".") {
		bytes, err := base64.StdEncoding.DecodeString(part)
		if err != nil {
			return nil, err
		}
		value = append(value, bytes...)
	}
	return value, nil
}

// share is a Shamir share with this value, a JSON array of bytes: 32 of them in SPIKE's group, 48 in one that is too
// large for SPIKE. Its number does not travel.
func share(text string) (secretsharing.Share, error) {
	var numbers []int
	if err := json.Unmarshal([]byte(text), &numbers); err != nil {
		return secretsharing.Share{}, err
	}
	var value []byte
	for _, number := range numbers {
		value = append(value, byte(number))
	}
	field := group.P256
	if len(value) == 48 {
		field = group.P384
	}
	share := secretsharing.Share{ID: field.NewScalar().SetUint64(1), Value: field.NewScalar()}
	return share, share.Value.UnmarshalBinary(value)
}

// shown is what of a result can be compared: sealed bytes are random, and the order of a list is that of a Go map.
func shown(name string, value any) any {
	switch value := value.(type) {
	case []byte:
		if strings.HasPrefix(name, "CipherEncrypt") {
			return len(value)
		}
		return string(value)
	case *[]data.PolicyListItem:
		if value != nil {
			slices.SortFunc(*value, func(a, b data.PolicyListItem) int { return strings.Compare(a.Name, b.Name) })
		}
		return value
	default:
		return value
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

// plain turns the SDK's typed nil into an ordinary nil error.
func plain(err *sdkerrors.SDKError) error {
	if err == nil {
		return nil
	}
	return err
}
