package main

import (
	"context"
	"errors"

	"github.com/spiffe/go-spiffe/v2/workloadapi"
	spike "github.com/spiffe/spike-sdk-go/api"
	"github.com/spiffe/spike-sdk-go/config/env"
)

// errNoCall is the answer to a client without a call.
var errNoCall = errors.New("no call")

// clients makes the SDK's clients.
type clients struct {
	// The client of all calls that name none.
	own *spike.API
}

// call makes a call with the client that the first word names, or with one that serves all calls that name none.
func (c *clients) call(ctx context.Context, words []string) (any, error) {
	made, isNamed, err := named(ctx, words[0])
	if err != nil {
		return nil, err
	}
	if isNamed {
		if len(words) < 2 {
			return nil, errNoCall
		}
		value, err := call(made.ctx, made.api, words[1], words[2:])
		if failure := made.api.Close(); failure != nil {
			return nil, failure
		}
		return value, err
	}
	if c.own == nil {
		own, failure := spike.NewWithContext(ctx)
		if failure != nil {
			return nil, failure
		}
		c.own = own
	}
	return call(ctx, c.own, words[0], words[1:])
}

func (c *clients) close() error {
	if c.own == nil {
		return nil
	}
	return plain(c.own.Close())
}

// client is one of them, and the context of its calls.
type client struct {
	api *spike.API
	ctx context.Context
}

// named makes a client in the way that the word names: by a function of the SDK, or as one that cannot work.
func named(ctx context.Context, word string) (client, bool, error) {
	switch word {
	case "New":
		api, failure := spike.New()
		return client{api, ctx}, true, plain(failure)
	case "NewWithContext":
		limited, cancel := context.WithTimeout(ctx, env.SPIFFESourceTimeoutVal())
		defer cancel()
		api, failure := spike.NewWithContext(limited)
		return client{api, ctx}, true, plain(failure)
	case "NewWithSource":
		source, err := workloadapi.NewX509Source(ctx)
		return client{spike.NewWithSource(source), ctx}, true, err
	case "with-nil-source":
		return client{spike.NewWithSource(nil), ctx}, true, nil
	case "with-closed-source":
		api, failure := spike.New()
		if failure == nil {
			failure = api.Close()
		}
		return client{api, ctx}, true, plain(failure)
	case "with-cancelled-context":
		api, failure := spike.New()
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		return client{api, cancelled}, true, plain(failure)
	default:
		return client{}, false, nil
	}
}
