// This file owns how Anthropic's SDK is called, and what Anthropic answers.

package sdktest_test

import (
	"context"
	"fmt"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"libtrip.example/trip/triphttp"
)

var anthropicSDK = sdk{
	answer: `{"id": "1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
		"content": [{"type": "text", "text": "forty-two"}], "usage": {"input_tokens": 1, "output_tokens": 1}}`,
	tokens: []string{anthropicToken("forty"), anthropicToken("-"), anthropicToken("two")},
	lastly: "event: message_stop\ndata: {\"type\": \"message_stop\"}\n\n",
	failed: "event: error\ndata: {\"type\": \"error\", \"error\": " +
		"{\"type\": \"overloaded_error\", \"message\": \"Overloaded\"}}\n\n",
	overload: `{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}`,
	asks: func(p *provider, retries, middleware bool) error {
		client := anthropicClient(p, retries, middleware)
		answer, err := client.Messages.New(context.Background(), prompt)
		if err == nil && answer.Content[0].Text != "forty-two" {
			err = fmt.Errorf("the answer is %q", answer.Content[0].Text)
		}
		return err
	},
	opens: func(p *provider, take int) (events int, err error) {
		client := anthropicClient(p, true, true)
		stream := client.Messages.NewStreaming(context.Background(), prompt)
		for events != take && stream.Next() {
			events++
		}
		err = stream.Err()
		stream.Close()
		return events, err
	},
}

var prompt = anthropic.MessageNewParams{
	Model:     "claude-test",
	MaxTokens: 100,
	Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("What is six times seven?"))},
}

func anthropicToken(text string) string {
	return fmt.Sprintf("event: content_block_delta\ndata: {\"type\": \"content_block_delta\", \"index\": 0, "+
		"\"delta\": {\"type\": \"text_delta\", \"text\": %q}}\n\n", text)
}

func anthropicClient(p *provider, retries, middleware bool) anthropic.Client {
	options := []option.RequestOption{
		option.WithAPIKey("none"), option.WithBaseURL(p.server.URL), option.WithHTTPClient(p.client),
	}
	if middleware {
		options = append(options, option.WithMiddleware(triphttp.StopRetries))
	}
	if !retries {
		options = append(options, option.WithMaxRetries(0))
	}
	return anthropic.NewClient(options...)
}
